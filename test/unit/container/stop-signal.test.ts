import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { Signal } from '../../../api/cri/enums.ts';
import { criSignal, parseSignal, stopSignal } from '../../../src/container/stop-signal.ts';

const { SIGTERM, SIGQUIT, SIGUSR1, SIGCHLD } = constants.signals;

test("the request's signal comes before the image's, and SIGTERM after both", () => {
  assert.equal(stopSignal(Signal.SIGNAL_SIGUSR1, 'SIGQUIT'), SIGUSR1);
  assert.equal(stopSignal(Signal.SIGNAL_RUNTIME_DEFAULT, 'SIGQUIT'), SIGQUIT);
  assert.equal(stopSignal(Signal.SIGNAL_RUNTIME_DEFAULT, ''), SIGTERM);
  assert.equal(stopSignal(Signal.SIGNAL_RUNTIME_DEFAULT, undefined), SIGTERM);
});

test('every signal of the CRI has its number of signal(7), and comes back in ContainerStatus', () => {
  const wrong = Object.entries(Signal).filter(([name, signal]) => {
    if (signal === Signal.SIGNAL_RUNTIME_DEFAULT) return false;
    const number = stopSignal(signal, undefined);
    return !(number >= 1 && number <= 64) || stopSignal(criSignal(number), undefined) !== number || name === '';
  });
  assert.deepStrictEqual(wrong, []);
});

test('real-time signals count from SIGRTMIN 34 up and from SIGRTMAX 64 down', () => {
  const numbers = ['SIGRTMIN', 'RTMIN', 'SIGRTMIN+3', 'rtmin+15', 'SIGRTMAX', 'SIGRTMAX-14', 'RTMAX-1'].map(parseSignal);
  assert.deepStrictEqual(numbers, [34, 34, 37, 49, 64, 50, 63]);
  assert.equal(stopSignal(Signal.SIGNAL_SIGRTMINPLUS3, undefined), 37);
  assert.equal(stopSignal(Signal.SIGNAL_SIGRTMAXMINUS14, undefined), 50);
});

test('a signal is a name with or without SIG, in any case, or a number', () => {
  assert.deepStrictEqual(['SIGQUIT', 'QUIT', 'sigquit', ' quit ', '3'].map(parseSignal), Array(5).fill(SIGQUIT));
  assert.equal(parseSignal('SIGCLD'), SIGCHLD);
});

test('what is no signal is refused with what was given', () => {
  for (const text of ['SIGNONSENSE', '', '0', '65', '-3', '1.5', 'SIGRTMAX-40', 'toString']) {
    assert.throws(() => parseSignal(text), { kind: 'InvalidArgument', message: new RegExp(`stop signal "${text}"`) }, text);
  }
  assert.throws(() => stopSignal(999, undefined), { kind: 'InvalidArgument', message: /stop_signal is 999/ });
  assert.throws(() => stopSignal(Signal.SIGNAL_RUNTIME_DEFAULT, 'SIGFOO'), { kind: 'InvalidArgument' });
});

test('a number that the CRI has no name for is reported as the default', () => {
  assert.equal(criSignal(32), Signal.SIGNAL_RUNTIME_DEFAULT);
});
