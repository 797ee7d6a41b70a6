// The person: opens the page, types the code, signs in, decides. Prints what the last page says.
// node browser.js issuer|oidc-provider|django URL CODE ACCOUNT approve|deny
const { chromium } = require('playwright-core');

const [site, url, code, account, decision] = process.argv.slice(2);

async function said(page, pattern) {
  const heading = page.locator('h1', { hasText: pattern });
  await heading.waitFor();
  return (await heading.textContent()).trim();
}

const sites = {
  // The one of tests/issuer.
  async issuer(page) {
    await page.locator('#user_code').pressSequentially(code);
    await page.click('#continue');
    await page.check(`input[name=account][value="${account}"]`);
    await page.click(`#${decision}`);
    return said(page, /^Login (approved|denied)$/);
  },

  async 'oidc-provider'(page) {
    await page.locator('input[name=user_code]:not([type=hidden])').pressSequentially(code);
    await page.click('button[form="op.deviceInputForm"]');
    if (decision === 'deny') {
      await page.click('button[form="op.deviceConfirmForm"][name=abort]');
      const red = page.locator('p.red');
      await red.waitFor();
      return red.textContent();
    }
    await page.click('button[form="op.deviceConfirmForm"]:not([name=abort])');
    await page.fill('input[name=login]', account);
    await page.fill('input[name=password]', account);
    await page.click('button:text-is("Sign-in")');
    await page.click('button:text-is("Continue")');
    return said(page, /^Sign-in Success$/);
  },

  // Asks who it is before the code.
  async django(page) {
    await page.fill('input[name=username]', account);
    await page.fill('input[name=password]', account);
    await page.click('button:text-is("Sign in")');
    await page.locator('input[name=user_code]').pressSequentially(code);
    await page.click('button:text-is("Verify")');
    await page.click(`button[name=action][value=${decision === 'approve' ? 'accept' : 'deny'}]`);
    return said(page, /Device (Authorized|Denied)/);
  },
};

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.REAL_BROWSER,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking',
      // Pages that ask for fonts from elsewhere go without.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });
  try {
    const page = await browser.newPage();
    await page.goto(url, { waitUntil: 'domcontentloaded' });
    console.log(await sites[site](page));
  } finally {
    await browser.close();
  }
})();
