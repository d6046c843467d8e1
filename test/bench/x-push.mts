const { BENCH_IMAGES, pushBenchImage } = await import('/work/wt/transfer/test/bench/pull-images.ts');
for (const i of BENCH_IMAGES) { const t=Date.now(); console.log(i.name, (await pushBenchImage(i, '127.0.0.1:5055'))>>20, 'MiB', Date.now()-t,'ms'); }
