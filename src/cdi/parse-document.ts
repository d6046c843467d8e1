/** The document of a CDI spec file, JSON or YAML. Loads the YAML library: for the thread that reads spec files only. */
import { boolYaml11Tag, defineScalarTag, FAILSAFE_SCHEMA, loadAll, mergeTag, NOT_RESOLVED, nullYaml11Tag } from 'js-yaml';

/** As Go's strconv reads an integer with base 0: `0666` and `0o666` are octal. The base 60 of YAML 1.1 is none: `name: 0:1` is text. */
const intTag = defineScalarTag('tag:yaml.org,2002:int', {
  implicit: true,
  identify: () => false,
  resolve(source) {
    const text = source.replaceAll('_', '');
    if (!/^[-+]?(0|[1-9]\d*|0[0-7]+|0o[0-7]+|0x[\da-f]+|0b[01]+)$/i.test(text)) return NOT_RESOLVED;
    const digits = text.replace(/^[-+]/, '').replace(/^0(?=[0-7])/, '0o');
    return Number(digits) * (text.startsWith('-') ? -1 : 1);
  },
});

const floatTag = defineScalarTag('tag:yaml.org,2002:float', {
  implicit: true,
  identify: () => false,
  resolve: (source) => (/^[-+]?(\.\d+|\d+(\.\d*)?)(e[-+]?\d+)?$/i.test(source) ? Number(source) : NOT_RESOLVED),
});

/** The YAML 1.1 that Kubernetes' reader takes, which the upstream library uses. */
const SCHEMA = FAILSAFE_SCHEMA.withTags(nullYaml11Tag, boolYaml11Tag, intTag, floatTag, mergeTag);

/** The first document of a text; undefined where there is none. @throws Error that says where the text is wrong. */
export function parseDocument(text: string): unknown {
  if (text.trimStart().startsWith('{')) {
    try {
      return JSON.parse(text);
    } catch {
      // Flow style of YAML, or its reader says what is wrong.
    }
  }
  return loadAll(text, { schema: SCHEMA, maxAliases: 1000 })[0];
}
