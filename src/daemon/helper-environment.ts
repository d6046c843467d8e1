import { CHILD_ENVIRONMENT } from './child-environment.ts';

const PASSED_ON = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'] as const;

/** All that credential helpers get of an environment: they have files of their own under HOME, and ask services by way of proxies. */
export function helperEnvironment(own: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const environment: Record<string, string> = { ...CHILD_ENVIRONMENT, HOME: '/root' };
  for (const name of PASSED_ON) {
    const value = own[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}
