// What could not be kept or served, by the name it has in `lost` of a `session_ended`, in the words of
// the summary. docs/troubleshooting.md has the same rows; a test compares the two.

/** What each number counts. */
export const LOSSES = {
  events: 'attempts without a record; their verdicts stood',
  sockets: 'calls refused because the kernel had no room for their socket',
  owners: 'sockets whose process is not known to the DNS proxy; their questions are not answered',
  processes: 'processes there was no room for; they were judged like the job',
  flows: 'flows there was no room for; a later packet may be one more record',
  identities: 'records of processes that were not known any more: their start alone is told',
  undecodable: 'messages of the kernel that could not be read',
  records: 'records that could not be written',
  grants_refused: 'grants the kernel refused; their answers were SERVFAIL, or ended early',
  grants_evicted: 'addresses whose grant made room for later ones',
  dns_overloaded: 'questions answered SERVFAIL because too many were open',
  dns_unowned: 'questions of clients the kernel knows nothing of; never answered',
  dns_dropped: 'questions that came faster than they were read; never answered',
  dns_streams_refused:
    'connections to the resolver over TCP of a process that held 64 already, or beyond what all may hold',
  dns_servfail: 'questions that failed, mostly for want of an upstream',
  late_attempts: 'refused attempts forgotten before an answer could allow them',
  late_names: 'names left out of a fresh round of look-ups',
  notifications: 'notifications that nobody took',
  bytes_untold: 'bytes sent that belong to no row',
  traffic_unvisited: 'times open sockets could not be asked what they had sent',
} as const;

/** Everything that can be lost. */
export type Loss = keyof typeof LOSSES;

/** A loss in words; the name itself where a later version wrote the log. */
export function lossInWords(name: string): string {
  return Object.hasOwn(LOSSES, name) ? LOSSES[name as Loss] : name;
}
