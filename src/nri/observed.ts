/** One call of a plugin, for metrics. */
export interface PluginCall {
  /** `INDEX-NAME` */
  readonly plugin: string;
  /** `CreateContainer` */
  readonly call: string;
  readonly ms: number;
  readonly failed: boolean;
}

/** What a plugin's answer asks for, for metrics. */
export interface PluginWish {
  /** `INDEX-NAME` */
  readonly plugin: string;
  readonly call: string;
  /** Whether it adjusts the container itself. */
  readonly adjusts: boolean;
  readonly updates: number;
  readonly evictions: number;
}
