/** The table `nri` of the configuration, as it is in force. */
export interface NriSettings {
  readonly enable: boolean;
  /** Where plugins connect; empty: nowhere. */
  readonly listenPath: string;
  /** Plugins that are started by the daemon; empty: none. */
  readonly pluginDir: string;
  readonly pluginConfigDir: string;
  /** For a plugin's registration, and for its synchronization. May change. */
  readonly registrationTimeoutMs: number;
  /** For each other call. May change. */
  readonly requestTimeoutMs: number;
  /** May change. */
  readonly defaultValidator: DefaultValidatorSettings;
}

/** Upstream's DefaultValidatorConfig (containerd/nri, plugins/default-validator). */
export interface DefaultValidatorSettings {
  readonly enable: boolean;
  readonly rejectOciHookAdjustment: boolean;
  readonly rejectRuntimeDefaultSeccompAdjustment: boolean;
  readonly rejectUnconfinedSeccompAdjustment: boolean;
  readonly rejectCustomSeccompAdjustment: boolean;
  readonly rejectNamespaceAdjustment: boolean;
  readonly rejectSysctlAdjustment: boolean;
  readonly requiredPlugins: readonly string[];
  readonly tolerateMissingPluginsAnnotation: string;
}
