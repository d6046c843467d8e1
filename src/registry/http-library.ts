/**
 * What is used of undici, for who loads it when it is first needed. By its names here: where a bundle is cut in pieces, esbuild gives
 * a dynamic import of a CommonJS package its default alone.
 */
export { Agent, buildConnector, Pool, ProxyAgent, request } from 'undici';
