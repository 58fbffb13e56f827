// Wall times of records: UTC with `Z` and nine digits, from ns since 1970.

const NS_A_DAY = 86_400_000_000_000n;
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

/** `2026-11-24T06:35:00.123456789Z`; `wallNs` is ns since 1970-01-01 UTC, not negative. */
export function formatTimestamp(wallNs: bigint): string {
  const ofDay = wallNs % NS_A_DAY;
  const seconds = Number(ofDay / 1_000_000_000n);
  const rest = String(ofDay % 1_000_000_000n).padStart(9, '0');
  const time = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${civil(Number(wallNs / NS_A_DAY))}T${time.map(two).join(':')}.${rest}Z`;
}
