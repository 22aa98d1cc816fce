/** What a StatusCode says about a value (OPC 10000-4 v1.05, 7.39). */
import type { Key } from '@/words/words';

export type Quality = 'good' | 'uncertain' | 'bad';

export function qualityOf(status: number): Quality {
  const severity = Math.floor(status / 2 ** 30);
  if (severity === 0) return 'good';
  return severity === 1 ? 'uncertain' : 'bad';
}

/** The server's queue overflowed at this value: its neighbours are missing. */
export function overflowed(status: number): boolean {
  return (status & 0x0c00) === 0x0400 && (status & 0x80) !== 0;
}

/** Reasons that people meet most, each with a sentence in the catalogues. */
const REASONS = new Set([
  'BadCommunicationError', 'BadNoCommunication', 'BadNotConnected', 'BadDeviceFailure', 'BadSensorFailure', 'BadOutOfService',
  'BadConfigurationError', 'BadNodeIdUnknown', 'BadNodeIdInvalid', 'BadAttributeIdInvalid', 'BadNotReadable', 'BadUserAccessDenied',
  'BadWaitingForInitialData', 'BadTimeout', 'BadNoData', 'BadServerHalted', 'BadTooManyMonitoredItems', 'BadOutOfRange',
  'UncertainLastUsableValue', 'UncertainNoCommunicationLastUsableValue', 'UncertainSubstituteValue', 'UncertainInitialValue',
  'UncertainSensorNotAccurate', 'UncertainEngineeringUnitsExceeded', 'UncertainSubNormal', 'UncertainSimulatedValue',
]);

/** The catalogue's sentence for a status, if it has one. */
export function reasonKey(statusName: string | null): Key | null {
  return statusName !== null && REASONS.has(statusName) ? (`status.${statusName}` as Key) : null;
}

/** The code's name, else its number as the standard writes it. */
export function statusText(status: number, statusName: string | null): string {
  return statusName ?? `0x${status.toString(16).toUpperCase().padStart(8, '0')}`;
}
