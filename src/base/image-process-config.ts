/**
 * What we read of `config` in an image's config, which says how to run it: OCI image spec, config.md; Docker's has the same names.
 * Any field may be missing. It is here since `image` reads it and `ocispec` makes a process of it.
 */
export interface ImageProcessConfig {
  readonly User?: string | undefined;
  readonly Env?: readonly string[] | null | undefined;
  readonly Entrypoint?: readonly string[] | null | undefined;
  readonly Cmd?: readonly string[] | null | undefined;
  readonly WorkingDir?: string | undefined;
  /** Paths that are to be directories; the values say nothing. */
  readonly Volumes?: Readonly<Record<string, unknown>> | null | undefined;
  readonly StopSignal?: string | undefined;
}
