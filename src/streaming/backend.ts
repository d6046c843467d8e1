import type { Duplex, Readable, Writable } from 'node:stream';

/** The size of a terminal, in character cells. */
export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** Which streams a client asked for. With a terminal, stderr is part of stdout. */
export interface StreamChoice {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface ExecRequest extends StreamChoice {
  readonly containerId: string;
  readonly command: readonly string[];
}

export interface AttachRequest extends StreamChoice {
  readonly containerId: string;
}

export interface PortForwardRequest {
  readonly sandboxId: string;
  /** What the RPC named. Only a WebSocket with channels needs it: over SPDY each stream names its port. */
  readonly ports: readonly number[];
}

/**
 * The streams of an exec, present where the client asked for them. A chunk that is written belongs to the stream until
 * write's callback: a reused buffer must be copied. None needs an error listener. The outputs are left open: the session
 * ends them when it has told the client how the command ended, since clients of the v1 protocol do not listen longer.
 */
export interface ExecStreams {
  /** Ends when the client half-closes it. Pausing it slows the client down; `destroy()` drops what still comes. */
  readonly stdin?: Readable;
  /** `write()` answering false asks to stop until 'drain', so that a slow client slows the command down. */
  readonly stdout?: Writable;
  readonly stderr?: Writable;
}

/** An output of an attach: it takes every chunk at once, since what writes the container's log must never wait. */
export interface AttachOutput {
  /** Hands over `chunk`, which must not be changed afterwards. Too much waiting for the client ends the session instead. */
  write(chunk: Uint8Array): void;
}

export interface AttachStreams {
  readonly stdin?: Readable;
  readonly stdout?: AttachOutput;
  readonly stderr?: AttachOutput;
}

/**
 * What the sessions need of containers and sandboxes. Each call runs until its work is over; it ends soon after `signal`
 * aborts (the client is gone, the daemon stops, the session was idle) and leaves nothing behind then. A thrown error
 * is told to the client with its message.
 */
export interface StreamingBackend {
  /**
   * Runs a command in a running container. Everything it wrote must have been handed to the streams when this resolves. `size`
   * is the terminal's first size where the client has told one; `resizes` yields the later ones; where several have come since
   * the last look, only the newest. On abort a command on a terminal is hung up (SIGHUP); one without sees the end of its stdin
   * and broken pipes.
   */
  exec(
    request: ExecRequest & { readonly size?: TerminalSize },
    streams: ExecStreams,
    resizes: AsyncIterable<TerminalSize>,
    signal: AbortSignal,
  ): Promise<{ readonly exitCode: number }>;

  /** Joins a running container's terminal or pipes until the container ends. It never pauses reading the output. */
  attach(
    request: AttachRequest & { readonly size?: TerminalSize },
    streams: AttachStreams,
    resizes: AsyncIterable<TerminalSize>,
    signal: AbortSignal,
  ): Promise<void>;

  /** Connects `stream` with a port inside the sandbox until both directions have ended; each may end by itself. */
  portForward(sandboxId: string, port: number, stream: Duplex, signal: AbortSignal): Promise<void>;
}
