const url = 'https://results-receiver.actions.githubusercontent.com/cache/later.txt';
const { status } = await fetch(url, { method: 'PUT', body: 'from a later post step' });
process.stdout.write(`uploaded ${status}\n`);
process.exitCode = status === 201 ? 0 : 1;
