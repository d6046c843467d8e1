import { isIP } from 'node:net';
import type { PortMapping } from '../../api/cri/runtime.ts';
import { Protocol } from '../../api/cri/enums.ts';
import { fail } from '../base/errors.ts';

const MOST = 65_535;

/**
 * Checks fields that plugins would put unchecked into firewall rules, or leave out without a word. A host port of 0 asks for no
 * mapping: the kubelet lists every port of a pod.
 * @throws DaemonError InvalidArgument that names the field.
 */
export function checkPortMappings(mappings: readonly PortMapping[]): void {
  for (const [index, { protocol, containerPort, hostPort, hostIp }] of mappings.entries()) {
    const refuse = (field: string, is: number | string, must: string): never =>
      fail('InvalidArgument', `run pod sandbox: port_mappings[${index}].${field} is ${JSON.stringify(is)}, must be ${must}`);
    if (!Object.values<number>(Protocol).includes(protocol)) refuse('protocol', protocol, 'TCP (0), UDP (1) or SCTP (2)');
    if (containerPort < 1 || containerPort > MOST) refuse('container_port', containerPort, `from 1 to ${MOST}`);
    if (hostPort < 0 || hostPort > MOST) refuse('host_port', hostPort, `from 1 to ${MOST}, or 0 for none`);
    // Firewalls know no address with a zone; that is for sockets.
    if (hostIp !== '' && (isIP(hostIp) === 0 || hostIp.includes('%'))) refuse('host_ip', hostIp, 'an IP address, or empty for all');
  }
}
