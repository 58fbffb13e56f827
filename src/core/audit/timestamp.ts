// Wall times of records: UTC with `Z` and nine digits, from ns since 1970.

const NS_A_SECOND = 1_000_000_000n;
const SECONDS_A_DAY = 86_400;
const DAYS_TO_1970 = 719_468;
const DAYS_AN_ERA = 146_097;

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** Year, month and day of a day since 1970-01-01 in the proleptic Gregorian calendar. */
function civil(day: number): string {
  const shifted = day + DAYS_TO_1970;
  const era = Math.floor(shifted / DAYS_AN_ERA);
  const ofEra = shifted - era * DAYS_AN_ERA;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) /
      365,
  );
  const dayOfYear =
    ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const date = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(date)}`;
}

/** A second since 1970 as `2026-11-24T06:35:00`. */
function formatSecond(second: number): string {
  const ofDay = second % SECONDS_A_DAY;
  const time = [Math.floor(ofDay / 3600), Math.floor(ofDay / 60) % 60, ofDay % 60];
  return `${civil(Math.floor(second / SECONDS_A_DAY))}T${time.map(two).join(':')}`;
}

// Records come by the thousand in a second: its text is made once. Changes no answer.
let last = { second: -1, text: '' };

/** `2026-11-24T06:35:00.123456789Z`; `wallNs` is ns since 1970-01-01 UTC, not negative. */
export function formatTimestamp(wallNs: bigint): string {
  const second = Number(wallNs / NS_A_SECOND);
  if (second !== last.second) last = { second, text: formatSecond(second) };
  const rest = Number(wallNs % NS_A_SECOND);
  return `${last.text}.${String(rest).padStart(9, '0')}Z`;
}
