import { isAbsolute, normalize } from 'node:path';
import { isObject } from '../base/json.ts';
import { PREPARED_PATH_LIMIT_BYTES, SOCKET_PATH_LIMIT_BYTES } from '../base/socket-place.ts';
import { parseUlimit, ULIMIT, type Ulimit } from '../base/ulimit.ts';

/** A value as TOML can hold it. */
export type TomlValue = string | number | boolean | readonly TomlValue[] | { readonly [key: string]: TomlValue };

/** One kind of value: how it is named in the docs, read from TOML or a flag, and written back. */
export interface Kind<T> {
  readonly is: string;
  /** The unit or noun that the field's name carries in code and the TOML key does not: `Ms` of `cniAddMs`. */
  readonly suffix?: string;
  /** All texts that it may be, where these are few. */
  readonly choices?: readonly string[];
  /** @throws Error whose message goes on after the key's name: `is 7, must be text`. */
  read(value: unknown): T;
  write(value: T): TomlValue;
}

/** Ends the reading of a value: says what it is and what it must be. */
export function refuse(value: unknown, must: string): never {
  throw new Error(`is ${JSON.stringify(value)}, must be ${must}`);
}

export function textWhere(is: string, accepts: (text: string) => boolean): Kind<string> {
  return {
    is,
    read: (value) => (typeof value === 'string' && accepts(value) ? value : refuse(value, is)),
    write: (value) => value,
  };
}

/** A switch. */
export const flag: Kind<boolean> = {
  is: 'true or false',
  read(value) {
    return typeof value === 'boolean' ? value : refuse(value, this.is);
  },
  write: (value) => value,
};

export const anyText = textWhere('text', () => true);
export const address = textWhere('an IP address or host name', (text) => /^[\w.:-]+$/.test(text));
export const platform = textWhere(
  "OS/ARCH or OS/ARCH/VARIANT, or empty for this machine's",
  (text) => text === '' || /^[\w-]+\/[\w-]+(\/[\w.-]+)?$/.test(text),
);
export const layerStore = textWhere(
  'an absolute path, with ":ref" behind it or not',
  (text) => isAbsolute(text) && normalize(text) === text,
);
const isProgram = (text: string): boolean => isAbsolute(text) || /^[\w.+-]+$/.test(text);
/** A program: an absolute path, or a bare name that is looked for in PATH. */
export const program = textWhere('an absolute path, or a name to be found in PATH', isProgram);
export const optionalProgram = textWhere(
  'an absolute path, or a name to be found in PATH, or empty',
  (text) => text === '' || isProgram(text),
);

const PROXY_URL = 'a URL http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT, or empty';
/** A proxy without its password: what is configured is shown to whoever asks for it. */
export const proxyUrl: Kind<string> = {
  is: PROXY_URL,
  read(value) {
    if (typeof value !== 'string') return refuse(value, PROXY_URL);
    if (value.includes('@'))
      throw new Error('has a user or password, must have none: the environment of the daemon (HTTPS_PROXY) is the place for them');
    return value === '' || (/^(https?|socks5):\/\/[^/?#]+\/?$/.test(value) && URL.canParse(value)) ? value : refuse(value, PROXY_URL);
  },
  write: (value) => value,
};

const HTTP_ENDPOINT = 'a URL http://HOST:PORT or https://HOST:PORT, with a path or without, or empty';
export const httpEndpoint: Kind<string> = {
  is: HTTP_ENDPOINT,
  read(value) {
    if (typeof value !== 'string') return refuse(value, HTTP_ENDPOINT);
    if (value.includes('@')) throw new Error('has a user or password, must have none: what is configured is shown to whoever asks for it');
    return value === '' || (/^https?:\/\/[^/?#]+(\/[^?#]*)?$/.test(value) && URL.canParse(value)) ? value : refuse(value, HTTP_ENDPOINT);
  },
  write: (value) => value,
};

function readPath(value: unknown, must: string): string {
  if (typeof value !== 'string' || !isAbsolute(value) || value.includes('\0')) refuse(value, must);
  return value === '/' ? value : normalize(value).replace(/\/+$/, '');
}

export const path: Kind<string> = {
  is: 'an absolute path',
  read: (value) => readPath(value, 'an absolute path'),
  write: (value) => value,
};

export const optionalPath: Kind<string> = {
  is: 'an absolute path, or empty for none',
  read: (value) => (value === '' ? '' : readPath(value, 'an absolute path, or empty for none')),
  write: (value) => value,
};

/** `HOST:PORT`, or a unix socket: `unix:///path` or the path alone; in code as it is written. */
export const hostAndPortOrSocket = textWhere(
  `HOST:PORT, or unix:// and an absolute path of at most ${SOCKET_PATH_LIMIT_BYTES} bytes, or empty for none`,
  (text) => {
    const bare = text.replace(/^unix:\/\//, '');
    if (isAbsolute(bare)) return Buffer.byteLength(bare) <= SOCKET_PATH_LIMIT_BYTES && !bare.includes('\0');
    return text === '' || /^(\[[\da-fA-F:.]+\]|[\w.-]*):\d{1,5}$/.test(text);
  },
);

/** `unix:///path` or `/path`; in code the path alone. */
export const unixSocket: Kind<string> = {
  is: `unix:// and an absolute path of at most ${PREPARED_PATH_LIMIT_BYTES} bytes`,
  suffix: 'Path',
  read(value) {
    const bare = typeof value === 'string' ? value.replace(/^unix:\/\//, '') : '';
    if (!isAbsolute(bare) || Buffer.byteLength(bare) > PREPARED_PATH_LIMIT_BYTES) refuse(value, this.is);
    return normalize(bare);
  },
  write: (value) => `unix://${value}`,
};

/** The same or empty. */
export const optionalUnixSocket: Kind<string> = {
  ...unixSocket,
  is: `${unixSocket.is}, or empty`,
  read(value) {
    return value === '' ? value : unixSocket.read.call(this, value);
  },
  write: (value) => (value === '' ? '' : unixSocket.write(value)),
};

export const trueOrFalse: Kind<boolean> = {
  is: 'true or false',
  read(value) {
    return typeof value === 'boolean' ? value : refuse(value, this.is);
  },
  write: (value) => value,
};

export function wholeNumber(least: number, most: number): Kind<number> {
  const is = most === Number.MAX_SAFE_INTEGER ? `a whole number from ${least}` : `a whole number from ${least} to ${most}`;
  return {
    is,
    read: (value) =>
      Number.isInteger(value) && (value as number) >= least && (value as number) <= most ? (value as number) : refuse(value, is),
    write: (value) => value,
  };
}

/** Permission bits: the text "0660", or TOML's 0o660. */
export const fileMode: Kind<number> = {
  is: 'file permissions such as "0660"',
  read(value) {
    const mode = typeof value === 'string' && /^0?[0-7]{3}$/.test(value) ? Number.parseInt(value, 8) : value;
    return typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode <= 0o777 ? mode : refuse(value, this.is);
  },
  write: (value) => `0${value.toString(8).padStart(3, '0')}`,
};

export function oneOf<const T extends string>(...choices: readonly T[]): Kind<T> {
  const is = choices.map((choice) => `"${choice}"`).join(' or ');
  return {
    is,
    choices,
    read: (value) => choices.find((choice) => choice === value) ?? refuse(value, is),
    write: (value) => value,
  };
}

export const MINUTE_MS = 60_000;
const DURATION_UNITS = { h: 60 * MINUTE_MS, m: MINUTE_MS, s: 1000, ms: 1 } as const;

/** A time such as "4m", "90s", "1h30m" or "500ms"; in code milliseconds. */
export function duration(leastMs: number): Kind<number> {
  const is = `a time such as "4m" or "90s", at least ${writeDuration(leastMs)}`;
  return {
    is,
    suffix: 'Ms',
    read(value) {
      return readDuration(value, leastMs) ?? refuse(value, is);
    },
    write: writeDuration,
  };
}

function readDuration(value: unknown, leastMs: number): number | undefined {
  if (typeof value !== 'string' || !/^(\d+(h|ms|m|s))+$/.test(value)) return undefined;
  let totalMs = 0;
  for (const [, count, unit] of value.matchAll(/(\d+)(h|ms|m|s)/g))
    totalMs += Number(count) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS];
  return totalMs >= leastMs && totalMs <= 0x7fff_ffff ? totalMs : undefined; // a timer of Node's holds no more
}

/** The same, or "0s" where another key decides; in code 0. */
export function optionalDuration(leastMs: number): Kind<number> {
  const inner = duration(leastMs);
  const is = `${inner.is}, or "0s" for none of its own`;
  return { ...inner, is, read: (value) => (value === '0s' ? 0 : (readDuration(value, leastMs) ?? refuse(value, is))) };
}

function writeDuration(ms: number): string {
  let rest = ms;
  let text = '';
  for (const [unit, unitMs] of Object.entries(DURATION_UNITS)) {
    const count = Math.floor(rest / unitMs);
    rest -= count * unitMs;
    if (count > 0) text += `${count}${unit}`;
  }
  return text === '' ? '0s' : text;
}

const SIZE_UNITS = { GiB: 1024 ** 3, MiB: 1024 ** 2, KiB: 1024 } as const;

/** A size such as "16MiB", or whole bytes; -1 where there may be no limit. In code bytes. */
export const sizeOrUnlimited: Kind<number> = {
  is: 'a size such as "16MiB" or whole bytes, or -1 for no limit',
  suffix: 'Bytes',
  read(value) {
    return value === -1 ? value : readSize(value, this.is);
  },
  write: writeSize,
};

/** A size between two others, bytes. */
export function size(leastBytes: number, mostBytes: number): Kind<number> {
  return {
    is: `a size such as "16MiB" or whole bytes, from ${writeSize(leastBytes)} to ${writeSize(mostBytes)}`,
    suffix: 'Bytes',
    read(value) {
      const bytes = readSize(value, this.is);
      return bytes < leastBytes || bytes > mostBytes ? refuse(value, this.is) : bytes;
    },
    write: writeSize,
  };
}

function readSize(value: unknown, is: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  const [, count, unit] = (typeof value === 'string' ? /^(\d+)(GiB|MiB|KiB)$/.exec(value) : null) ?? [];
  if (unit === undefined) refuse(value, is);
  return Number(count) * SIZE_UNITS[unit as keyof typeof SIZE_UNITS];
}

function writeSize(value: number): string | number {
  const unit = Object.entries(SIZE_UNITS).find(([, bytes]) => value > 0 && value % bytes === 0);
  return unit === undefined ? value : `${value / unit[1]}${unit[0]}`;
}

/** A list of another kind. */
export function listOf<T>(entry: Kind<T>, is: string): Kind<readonly T[]> {
  return {
    is,
    read(value) {
      if (!Array.isArray(value)) refuse(value, is);
      return value.map((each: unknown, index) => {
        try {
          return entry.read(each);
        } catch (error) {
          throw new Error(`entry ${index + 1} ${(error as Error).message}`, { cause: error });
        }
      });
    },
    write: (values) => values.map((value) => entry.write(value)),
  };
}

export const paths = listOf(path, 'a list of absolute paths');

/** A capability; in code with its CAP_ prefix. */
export const capability: Kind<string> = {
  is: 'the name of a capability such as "CHOWN" or "CAP_CHOWN"',
  read(value) {
    const name = typeof value === 'string' ? value.toUpperCase().replace(/^CAP_/, '') : '';
    return /^[A-Z][A-Z_]+$/.test(name) ? `CAP_${name}` : refuse(value, this.is);
  },
  write: (value) => value.replace(/^CAP_/, ''),
};

/** A table of sysctl names and their values. */
export const sysctls: Kind<Readonly<Record<string, string>>> = {
  is: 'a table of sysctl names and values',
  read(value) {
    if (!isObject(value)) refuse(value, this.is);
    const result: Record<string, string> = {};
    for (const [name, setting] of Object.entries(value)) {
      if (!/^[a-z0-9_-]+([./][A-Za-z0-9_-]+)+$/.test(name)) refuse(name, 'the name of a sysctl such as "net.core.somaxconn"');
      if (typeof setting !== 'string' && !Number.isInteger(setting)) refuse(setting, `text or a whole number (${name})`);
      result[name] = String(setting);
    }
    return result;
  },
  write: (value) => value,
};

/** "nofile=1024:4096": a name, a soft and a hard limit. */
export const ulimit: Kind<Ulimit> = {
  is: ULIMIT,
  read(value) {
    return (typeof value === 'string' ? parseUlimit(value) : undefined) ?? refuse(value, this.is);
  },
  write: ({ type, soft, hard }) => `${type.replace('RLIMIT_', '').toLowerCase()}=${soft}:${hard}`,
};
