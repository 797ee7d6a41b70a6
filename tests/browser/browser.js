// Acts as the user: opens the page, types the code, signs in, and approves or denies. Prints the message of the last page.
// node browser.js issuer|oidc-provider|django URL CODE ACCOUNT approve|deny|open
// Without a code ("-"), URL is an authorization request, and the last page is that of the program. "open" opens the URL, and
// does nothing else. Where nobody answers, prints "no answer".
const { chromium } = require('playwright-core');

const [site, url, code, account, decision] = process.argv.slice(2);

async function heading(page, pattern) {
  const element = page.locator('h1', { hasText: pattern });
  await element.waitFor();
  return (await element.textContent()).trim();
}

const sites = {
  // The authorization server in tests/issuer.
  async issuer(page) {
    await page.locator('#user_code').pressSequentially(code);
    await page.click('#continue');
    await page.check(`input[name=account][value="${account}"]`);
    await page.click(`#${decision}`);
    return heading(page, /^Login (approved|denied)$/);
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
    return heading(page, /^Sign-in Success$/);
  },

  // Django asks for the sign-in before the code.
  async django(page) {
    await page.fill('input[name=username]', account);
    await page.fill('input[name=password]', account);
    await page.click('button:text-is("Sign in")');
    await page.locator('input[name=user_code]').pressSequentially(code);
    await page.click('button:text-is("Verify")');
    await page.click(`button[name=action][value=${decision === 'approve' ? 'accept' : 'deny'}]`);
    return heading(page, /Device (Authorized|Denied)/);
  },
};

const last = (page) => heading(page, /^(Signed in|Not signed in|Answered already)$/);

const authorizations = {
  async issuer(page) {
    await page.check(`input[name=account][value="${account}"]`);
    await page.click(`#${decision}`);
    return last(page);
  },

  async 'oidc-provider'(page) {
    if (decision === 'deny') {
      await page.click('a:text-is("[ Cancel ]")');
      return last(page);
    }
    await page.fill('input[name=login]', account);
    await page.fill('input[name=password]', account);
    await page.click('button:text-is("Sign-in")');
    await page.click('button:text-is("Continue")');
    return last(page);
  },

  async django(page) {
    await page.fill('input[name=username]', account);
    await page.fill('input[name=password]', account);
    await page.click('button:text-is("Sign in")');
    await page.click(decision === 'approve' ? 'input[name=allow]' : 'input[type=submit]:not([name])');
    return last(page);
  },
};

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.REAL_BROWSER,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking',
      // Pages must not load fonts from other hosts.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });
  try {
    const page = await browser.newPage();
    const unanswered = new Promise((resolve) => page.on('requestfailed', (request) => {
      if (request.isNavigationRequest()) resolve('no answer');
    }));
    const act = async () => {
      await page.goto(url, { waitUntil: 'domcontentloaded' });
      if (decision === 'open') return heading(page, /./);
      return (code === '-' ? authorizations : sites)[site](page);
    };
    const acting = act();
    // It ends without a page where nobody answers.
    acting.catch(() => {});
    console.log(await Promise.race([unanswered, acting]));
  } finally {
    await browser.close();
  }
})();
