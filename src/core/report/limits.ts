// The documented limits that apply to a session, by their ids in docs/threat-model.md.
import { INBOUND } from '../audit/attribute.ts';
import type { Report } from './aggregate.ts';

/** What a kernel, a name or a log forces on every session. */
const ALWAYS = ['L1', 'L2', 'L7', 'L8', 'L10', 'L12', 'L13', 'L14'];
/** What an allowed host brings along. */
const WHERE_SOMETHING_IS_ALLOWED = ['L3', 'L4', 'L5', 'L6'];
/** Root ends the wall. */
const WITHOUT_LOCKDOWN = ['L9'];
const UNDER_LOCKDOWN = ['L11'];
/** Services of the machine were asked from outside. */
const WHERE_SERVICES_ANSWER = ['L15'];

function numberOf(id: string): number {
  return Number(id.slice(1));
}

/** The ids, in order. */
export function limitsOf(report: Report, isLockedDown: boolean): readonly string[] {
  const { started } = report;
  const isOpen = (started?.rules ?? 0) > 0 || started?.default === 'allow';
  return [
    ...ALWAYS,
    ...(isOpen ? WHERE_SOMETHING_IS_ALLOWED : []),
    ...(report.allowed.some(({ reason }) => reason === INBOUND) ? WHERE_SERVICES_ANSWER : []),
    ...(isLockedDown ? UNDER_LOCKDOWN : WITHOUT_LOCKDOWN),
  ].toSorted((one, other) => numberOf(one) - numberOf(other));
}
