// The person: opens the page, types the code, chooses an account, decides.
// node browser.js URL CODE ACCOUNT approve|deny
const { chromium } = require('playwright-core');

const [url, code, account, decision] = process.argv.slice(2);

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.REAL_BROWSER,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
  });
  try {
    const page = await browser.newPage();
    await page.goto(url, { waitUntil: 'domcontentloaded' });
    await page.locator('#user_code').pressSequentially(code);
    await page.click('#continue');
    await page.check(`input[name=account][value="${account}"]`);
    await page.click(`#${decision}`);
    await page.locator('h1', { hasText: /^Login (approved|denied)$/ }).waitFor();
    console.log(await page.textContent('h1'));
  } finally {
    await browser.close();
  }
})();
