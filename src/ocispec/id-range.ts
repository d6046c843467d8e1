import { SupplementalGroupsPolicy } from '../../api/cri/enums.ts';
import { fail } from '../base/errors.ts';

/** uid_t and gid_t are 32 bit, and -1 means "unchanged" to chown(2) and setresuid(2). */
export const HIGHEST_ID = 0xffff_fffe;

/** @throws InvalidArgument where a field of a request is no user or group id. */
export function checkRequestId(doing: string, field: string, id: bigint | undefined): void {
  if (id === undefined || (id >= 0n && id <= BigInt(HIGHEST_ID))) return;
  fail('InvalidArgument', `${doing}: ${field} is ${id.toString()}, must be from 0 to ${HIGHEST_ID}`);
}

/** @throws InvalidArgument for a policy of tomorrow: it is not taken for one of today's. */
export function checkGroupsPolicy(doing: string, policy: number | undefined): void {
  if (policy === undefined || Object.values<number>(SupplementalGroupsPolicy).includes(policy)) return;
  fail('InvalidArgument', `${doing}: supplemental_groups_policy is ${policy}, must be Merge (0) or Strict (1)`);
}
