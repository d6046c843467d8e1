/** A text that can neither end a line nor steer the terminal that shows it: names, and words of programs, may be anything. */
export function escaped(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
