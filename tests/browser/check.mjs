// Checks the web UI in Chromium: node check.mjs URL PATH.. with a URL that signs in. Prints `record` when it needs a new
// request in the store, and `all checks passed` at the end.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { launch, openPage } from './browser.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const [url, ...paths] = process.argv.slice(2);
const failures = [];
let checks = 0;
const check = (what, is, got = '') => {
  checks += 1;
  if (!is) failures.push(`${what}${got === '' ? '' : `: ${JSON.stringify(got)}`}`);
};
const at = (path) => new URL(path, url).href;
const browser = await launch();
process.on('uncaughtException', (error) => {
  console.error([error.stack, ...failures].join('\n'));
  process.exit(1);
});

/** Waits until a function is true in the page. `waitForFunction` needs `eval`, which the policy of the pages forbids. */
async function until(what, page, is, argument) {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    if (await page.evaluate(is, argument)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`never true: ${what}`);
}

/** Lists the violations that axe finds. */
async function axe(page, where, runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate((rules) => axe.run(document, { resultTypes: ['violations'], runOnly: rules }), runOnly);
  for (const { id, help, nodes } of violations) {
    check(`axe in ${where}: ${id}: ${help}`, false, nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`));
  }
  checks += 1;
}

// Every page, light and dark: nothing that axe finds, no violation of the policy, no error, no request to elsewhere.
for (const colorScheme of ['light', 'dark']) {
  const { context, page, problems } = await openPage(browser, { colorScheme });
  const elsewhere = [];
  page.on('request', (request) => { if (new URL(request.url()).origin !== new URL(url).origin) elsewhere.push(request.url()); });
  await page.goto(url);
  check('the token is gone from the URL', !page.url().includes('token'), page.url());
  for (const path of paths) {
    const response = await page.goto(at(path));
    check(`${path} is shown`, response.status() === 200, response.status());
    // The colors are all that differs.
    await axe(page, `${path} (${colorScheme})`, colorScheme === 'dark' ? ['color-contrast'] : undefined);
    check(`${path} does not scroll sideways`, await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  }
  await page.goto(at('/none'));
  await axe(page, `/none (${colorScheme})`);
  check('no problems', problems.length === 0, problems);
  check('no requests to elsewhere', elsewhere.filter((to) => !to.startsWith('data:') && !to.startsWith('file:')).length === 0, elsewhere);
  await context.close();
}

// The policy is in force: text cannot become script.
{
  const { context, page } = await openPage(browser);
  await page.goto(url);
  const blocked = await page.evaluate(() => {
    const tries = [
      () => { document.body.insertAdjacentHTML('beforeend', '<b>x</b>'); },
      () => { document.createElement('script').text = '1'; },
    ];
    return tries.map((attempt) => { try { attempt(); return 'done'; } catch (error) { return error.name; } });
  });
  check('sinks are blocked', blocked.every((name) => name !== 'done'), blocked);
  await context.close();
}

// Without a cookie there is nothing to see; the page that says so is accessible.
{
  const { context, page } = await openPage(browser);
  const response = await page.goto(at('/flows'));
  check('a stranger is asked to sign in', response.status() === 401, response.status());
  await axe(page, 'the page that asks to sign in');
  await context.close();
}

// The keyboard alone.
{
  const { context, page, problems } = await openPage(browser);
  const path = () => new URL(page.url()).pathname;
  const focused = () => page.evaluate(() => document.activeElement?.closest('[data-row]')?.dataset.row || '');
  const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
  const leave = (key) => Promise.all([page.waitForNavigation(), page.keyboard.press(key)]);
  await page.goto(url);
  await press('Tab');
  check('the first stop skips to the content', await page.evaluate(() => document.activeElement.className) === 'skip');
  for (let stops = 0; stops < 20 && await page.evaluate(() => document.activeElement.id) !== 'query'; stops += 1) await press('Tab');
  check('the query can be reached with Tab', await page.evaluate(() => document.activeElement.id) === 'query');
  await press('Escape');
  const rows = await page.$$eval('[data-row]', (all) => all.map((row) => row.dataset.row));
  await press('j', 'j', 'j', 'k');
  check('j and k move', await focused() === rows[1], await focused());
  await press('G');
  check('G goes to the last row', await focused() === rows.at(-1));
  await press('g');
  check('g goes to the first row', await focused() === rows[0]);

  // A request that arrives is shown, and the focus stays.
  await press('j');
  console.log('record');
  await until('the row arrives', page, (count) => document.querySelectorAll('[data-row]').length > count, rows.length);
  check('the focus stays when rows arrive', await focused() === rows[1], await focused());
  await press('f');
  check('f pauses', await page.getAttribute('#live-button', 'aria-pressed') === 'false');
  await press('f');

  await press('?');
  check('? opens the help', await page.isVisible('#help'));
  await axe(page, 'the help');
  await press('Escape');
  check('Escape closes the help', await page.isHidden('#help'));

  await leave('s');
  check('s changes the order', page.url().includes('sort=took'), page.url());
  check('the order is announced', await page.getAttribute('th[aria-sort]', 'aria-sort') === 'descending');
  await press('j');
  await leave('Enter');
  check('Enter opens the row', path().startsWith('/requests/'), path());
  await press('G', 'Enter');
  await until('the details change', page, () => document.querySelector('#detail h2').textContent === 'Response');
  check('the row is in the URL', page.url().includes('row='), page.url());
  const selected = await page.$$eval('tr.selected', (all) => all.map((row) => row.textContent.includes('response')));
  check('the row is marked', selected.length === 1 && selected[0], selected);
  await leave('z');
  check('z folds', page.url().includes('fold=1'), page.url());
  await leave('t');
  check('t shows the slots', path().endsWith('/slots'), path());
  const event = () => page.textContent('.slider label');
  const last = await event();
  await press('h');
  await until('the event changes', page, (text) => document.querySelector('.slider label').textContent !== text, last);
  await page.focus('#at');
  const here = await event();
  await press('ArrowLeft');
  await until('the event changes', page, (text) => document.querySelector('.slider label').textContent !== text, here);
  check('the slider keeps the focus', await page.evaluate(() => document.activeElement.id) === 'at');
  await leave('w');
  check('w says why', path().endsWith('/why'), path());
  await leave('o');
  check('o lists the values', path().endsWith('/value'), path());
  await press('j');
  await leave('Enter');
  check('Enter names the value in the URL', page.url().includes('of=response.status'), page.url());
  await page.focus('#sources-form button.primary');
  await press('Enter');
  await page.waitForSelector('#sources-title');
  check('the sources are in place', page.url().includes('of=response.status'), page.url());
  await axe(page, 'the sources of a value');
  await leave('r');
  check('r shows the form', path().endsWith('/replay'), path());
  await page.focus('[data-fill]');
  await press('Enter');
  check('Edit fills in the recorded value', (await page.evaluate(() => document.activeElement.value)).length > 0);
  await page.fill('textarea', '');
  await page.focus('textarea');
  await page.keyboard.type('{"a": 1}');
  await press('Tab');
  await page.focus('#replay-form button.primary');
  await press('Enter');
  await page.waitForSelector('#report-title');
  check('the report is in place', path().endsWith('/replay') && await page.inputValue('textarea') === '{"a": 1}');
  await axe(page, 'a report');
  await leave('1');
  check('1 shows the list', path() === '/', path());
  await press('j', 'm', 'j', 'j');
  await leave('d');
  check('m and d compare', path() === '/diff' && page.url().includes('a=') && page.url().includes('b='), page.url());
  await leave('Escape');
  check('Escape goes back', path() === '/', path());
  await press('/');
  await page.keyboard.type('is:failed');
  await leave('Enter');
  check('a query is in the URL', page.url().includes('q=is%3Afailed'), page.url());
  check('it selects', (await page.$$('[data-row]')).length < rows.length);
  for (const [key, wanted] of [['5', '/flows'], ['6', '/heat'], ['7', '/sql'], ['8', '/scheduler'], ['9', '/catalog']]) {
    await leave(key);
    check(`${key} shows ${wanted}`, path() === wanted, path());
  }
  check('no problems with keys', problems.length === 0, problems);
  await context.close();
}

// The mouse: a part of the heat map becomes a list.
{
  const { context, page, problems } = await openPage(browser);
  await page.goto(url);
  await page.goto(at('/heat'));
  const box = await page.locator('#heat').boundingBox();
  await page.mouse.move(box.x + box.width * 0.2, box.y + 4);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + box.height * 0.7, { steps: 4 });
  await Promise.all([page.waitForNavigation(), page.mouse.up()]);
  const query = new URL(page.url()).searchParams.get('q');
  check('a brush becomes a query', /^took>=\S+ took<\S+ since:"\S+" until:"\S+"$/.test(query), query);
  check('the query is understood', await page.isHidden('#query-error'));
  check('no problems with the mouse', problems.length === 0, problems);
  await context.close();
}

// Without the script: links, forms and the replay.
{
  const { context, page } = await openPage(browser, { javaScriptEnabled: false });
  await page.goto(url);
  await page.fill('#query', 'flow:todos-item');
  await page.click('form.query button');
  check('the query works', page.url().includes('q=flow%3Atodos-item'), page.url());
  await page.click('[data-row] a.open');
  await page.click('.request-pages a[href$="/replay"]');
  await page.fill('textarea', '1');
  await page.click('#replay-form button.primary');
  check('the replay works', await page.isVisible('#report-title'));
  await context.close();
}

// Printed, the page is its content.
{
  const { context, page } = await openPage(browser);
  await page.goto(url);
  await page.emulateMedia({ media: 'print' });
  check('the navigation is not printed', await page.isHidden('.top'));
  check('the table is printed', await page.isVisible('table.requests'));
  await context.close();
}

await browser.close();
if (failures.length) {
  console.error(`${failures.length} of ${checks} checks failed:\n${failures.join('\n')}`);
  process.exit(1);
}
console.log(`all checks passed: ${checks}`);
