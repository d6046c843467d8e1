import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metrics } from '../../../src/metrics/metrics.ts';

test('counters, gauges and histograms come out under the prefix with their labels', async () => {
  const metrics = new Metrics();
  metrics.add('rpcErrors', { rpc: 'Version', code: 'INTERNAL' });
  metrics.add('rpcErrors', { rpc: 'Version', code: 'INTERNAL' }, 2);
  metrics.set('buildInfo', { version: '1.0.0', node: 'v24' }, 1);
  metrics.observe('rpcSeconds', { rpc: 'Version', code: 'OK' }, 0.002);

  const text = await metrics.render();
  assert.match(text, /^podwright_rpc_errors_total\{rpc="Version",code="INTERNAL"\} 3$/m);
  assert.match(text, /^podwright_build_info\{version="1\.0\.0",node="v24"\} 1$/m);
  assert.match(text, /^podwright_rpc_duration_seconds_bucket\{le="0\.001",rpc="Version",code="OK"\} 0$/m);
  assert.match(text, /^podwright_rpc_duration_seconds_bucket\{le="0\.005",rpc="Version",code="OK"\} 1$/m);
});

test('the process is measured, but not by a timer that wakes it', async () => {
  const text = await new Metrics().render();

  assert.match(text, /^process_resident_memory_bytes \d/m);
  assert.match(text, /^process_open_fds \d/m);
  assert.match(text, /^nodejs_eventloop_lag_seconds /m);
  assert.doesNotMatch(text, /nodejs_eventloop_lag_p99_seconds/);
  assert.doesNotMatch(text, /^nodejs_active_\w+_total /m);
});

test('what is counted when the metrics are read is counted anew each time', async () => {
  const metrics = new Metrics();
  let images = 3;
  metrics.whenRead(() => {
    metrics.set('images', {}, images);
  });

  assert.match(await metrics.render(), /^podwright_images 3$/m);
  images = 2;
  assert.match(await metrics.render(), /^podwright_images 2$/m);
});
