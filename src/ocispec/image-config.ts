/** The part of an image's config that says how to run it; names as in the OCI image spec, config.md, `config`. */
export interface ImageProcessConfig {
  readonly User?: string | undefined;
  readonly Env?: readonly string[] | null | undefined;
  readonly Entrypoint?: readonly string[] | null | undefined;
  readonly Cmd?: readonly string[] | null | undefined;
  readonly WorkingDir?: string | undefined;
  /** Paths that are to be directories; the values say nothing. */
  readonly Volumes?: Readonly<Record<string, unknown>> | null | undefined;
}
