process.stdout.write('nothing to do yet\n');
