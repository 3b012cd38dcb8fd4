// Makes the pictures in the documentation: node screenshots.mjs FOLDER URL [PATH=NAME ..]
import { launch, openPage } from './browser.mjs';

const [folder, url, ...wanted] = process.argv.slice(2);
const browser = await launch();
for (const scheme of ['light', 'dark']) {
  const { context, page } = await openPage(browser, { colorScheme: scheme });
  await page.goto(url);
  const ids = await page.$$eval('tr[data-row]', (rows) => rows.map((row) => row.dataset.row));
  const slow = await page.goto(new URL('/?sort=took', url).href)
    .then(() => page.$eval('tr[data-row]', (row) => row.dataset.row));
  const failed = await page.goto(new URL('/?q=is:failed', url).href)
    .then(() => page.$$eval('tr[data-row]', (rows) => rows[0]?.dataset.row));
  const pages = {
    requests: '/', query: '/?q=flow%3Areport+tok%3E10ms', timeline: `/requests/${slow}`, failed: `/requests/${failed}`,
    slots: `/requests/${slow}/slots?at=9`, why: `/requests/${slow}/why`, replay: `/requests/${failed}/replay`,
    compare: `/requests/${slow}/compare`, diff: `/diff?a=${ids[0]}&b=${slow}`, flows: '/flows', flow: '/flow?name=report',
    heat: '/heat', sql: '/sql', scheduler: '/scheduler', catalog: '/catalog', keys: '/keys',
  };
  for (const [name, path] of Object.entries(pages).filter(([name]) => !wanted.length || wanted.includes(name))) {
    await page.goto(new URL(path, url).href);
    await page.screenshot({ path: `${folder}/web-${name}-${scheme}.png` });
  }
  await context.close();
}
await browser.close();
