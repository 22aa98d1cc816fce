/** What the address of Flow says: the server whose chain is open. */
import { textOf } from '@/shell/address';

export interface FlowAddress {
  /** `group|endpoint` of the open server. */
  source?: string;
}

export function readFlowAddress(search: Record<string, unknown>): FlowAddress {
  const source = textOf(search, 'source');
  return source ? { source } : {};
}

export const sourceKey = (source: { group: string; endpoint: string }) => `${source.group}|${source.endpoint}`;
