import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { Signal } from '../../../api/cri/enums.ts';
import { criSignal, parseSignal, stopSignal } from '../../../src/container/stop-signal.ts';

const warn = (words: string): void => {
  assert.fail(words);
};

const { SIGTERM, SIGQUIT, SIGUSR1, SIGCHLD } = constants.signals;

test("the request's signal comes before the image's, and SIGTERM after both", () => {
  assert.equal(stopSignal(Signal.SIGNAL_SIGUSR1, 'SIGQUIT', warn), SIGUSR1);
  assert.equal(stopSignal(Signal.SIGNAL_RUNTIME_DEFAULT, 'SIGQUIT', warn), SIGQUIT);
  assert.equal(stopSignal(Signal.SIGNAL_RUNTIME_DEFAULT, '', warn), SIGTERM);
  assert.equal(stopSignal(Signal.SIGNAL_RUNTIME_DEFAULT, undefined, warn), SIGTERM);
});

test("an image's signal that is none counts as SIGTERM, with a warning", () => {
  const warnings: string[] = [];
  const tell = (words: string): void => {
    warnings.push(words);
  };
  assert.equal(stopSignal(Signal.SIGNAL_RUNTIME_DEFAULT, 'SIGNONSENSE', tell), SIGTERM);
  assert.match(warnings.join(), /StopSignal is left out, SIGTERM takes its place: stop signal "SIGNONSENSE"/);
});

test('every signal of the CRI has its number of signal(7), and comes back in ContainerStatus', () => {
  const wrong = Object.entries(Signal).filter(([name, signal]) => {
    if (signal === Signal.SIGNAL_RUNTIME_DEFAULT) return false;
    const number = stopSignal(signal, undefined, warn);
    return !(number >= 1 && number <= 64) || stopSignal(criSignal(number), undefined, warn) !== number || name === '';
  });
  assert.deepStrictEqual(wrong, []);
});

test('real-time signals count from SIGRTMIN 34 up and from SIGRTMAX 64 down', () => {
  const numbers = ['SIGRTMIN', 'RTMIN', 'SIGRTMIN+3', 'rtmin+15', 'SIGRTMAX', 'SIGRTMAX-14', 'RTMAX-1'].map(parseSignal);
  assert.deepStrictEqual(numbers, [34, 34, 37, 49, 64, 50, 63]);
  assert.equal(stopSignal(Signal.SIGNAL_SIGRTMINPLUS3, undefined, warn), 37);
  assert.equal(stopSignal(Signal.SIGNAL_SIGRTMAXMINUS14, undefined, warn), 50);
});

test('a signal is a name with or without SIG, in any case, or a number', () => {
  assert.deepStrictEqual(['SIGQUIT', 'QUIT', 'sigquit', ' quit ', '3'].map(parseSignal), Array(5).fill(SIGQUIT));
  assert.equal(parseSignal('SIGCLD'), SIGCHLD);
});

test('what is no signal is refused with what was given', () => {
  for (const text of ['SIGNONSENSE', '', '0', '65', '-3', '1.5', 'SIGRTMAX-40', 'toString']) {
    assert.throws(() => parseSignal(text), { kind: 'InvalidArgument', message: new RegExp(`stop signal "${text}"`) }, text);
  }
  assert.throws(() => stopSignal(999, undefined, warn), { kind: 'InvalidArgument', message: /stop_signal is 999/ });
});

test('a number that the CRI has no name for is reported as the default', () => {
  assert.equal(criSignal(32), Signal.SIGNAL_RUNTIME_DEFAULT);
});
