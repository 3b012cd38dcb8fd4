// A browser with a page of the web UI, and what it complains about.
import { chromium } from 'playwright-core';
import { existsSync } from 'node:fs';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome-stable', '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];

/** Returns the path of a Chromium, or ends with a message. */
export function browserPath() {
  const path = process.env.CHROMIUM || PLACES.find((place) => existsSync(place));
  if (!path || !existsSync(path)) {
    console.error(`no Chromium at ${path || PLACES.join(', ')}: run tests/install-services.sh, or set CHROMIUM to its path`);
    process.exit(3);
  }
  return path;
}

/** Starts Chromium. Its sandbox needs privileges that containers do not have. */
export const launch = () => chromium.launch({ executablePath: browserPath(), args: ['--no-sandbox', '--disable-gpu'] });

/** Opens a page that counts violations of its content policy, errors of its script, and requests to elsewhere. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const problems = [];
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  page.on('console', (message) => {
    // A page with an error status is also logged; the tests look at statuses themselves.
    const isStatus = message.text().startsWith('Failed to load resource');
    if (['error', 'warning'].includes(message.type()) && !isStatus) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(`script error: ${error.message}`));
  page.on('dialog', (dialog) => { problems.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  return { context, page, problems };
}
