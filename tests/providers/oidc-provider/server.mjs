// oidc-provider on loopback, with everything in memory: node server.mjs
//
// Prints one JSON object per line: first the endpoints, then each request to an endpoint for programs. Exits when standard
// input ends. Environment variables: ACCESS_TOKEN_SECONDS, DEVICE_CODE_SECONDS, ACCESS_TOKENS=opaque|jwt.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// Its warnings about defaults matter only in production.
console.info = console.warn = () => {};

// `require` finds the package through NODE_PATH, which `import` ignores.
const installed = createRequire(import.meta.url).resolve('oidc-provider');
const { Provider } = await import(pathToFileURL(installed));

const { ACCESS_TOKEN_SECONDS = 3600, DEVICE_CODE_SECONDS = 600, ACCESS_TOKENS = 'opaque' } = process.env;
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const GATEWAY = 'https://gateway.example/';

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

function client(id, more) {
  return {
    client_id: id,
    application_type: 'native',
    grant_types: [DEVICE_CODE, 'authorization_code', 'refresh_token'],
    response_types: ['code'],
    // Any port (RFC 8252).
    redirect_uris: ['http://127.0.0.1/callback'],
    ...more,
  };
}

// `login` is the name that was typed into the page.
function findAccount(_, login) {
  const claims = { sub: login, email: `${login}@example.com`, email_verified: true, preferred_username: login };
  return { accountId: login, claims: () => claims };
}

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const configuration = {
  clients: [
    client('public', { token_endpoint_auth_method: 'none' }),
    client('confidential', { client_secret: 'the-secret-of-a-client' }),
    // The resource server, which introspects tokens.
    client('gateway', { client_secret: 'the-secret-of-the-gateway', grant_types: [], response_types: [] }),
  ],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'a' }] },
  cookies: { keys: ['loopback'] },
  findAccount,
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username'] },
  // The ID token has the claims as well, not only the userinfo endpoint.
  conformIdTokenClaims: false,
  rotateRefreshToken: true,
  ttl: {
    AccessToken: Number(ACCESS_TOKEN_SECONDS),
    DeviceCode: Number(DEVICE_CODE_SECONDS),
    IdToken: 3600,
    RefreshToken: 14 * 24 * 3600,
    Grant: 14 * 24 * 3600,
    Interaction: 600,
    Session: 600,
  },
  features: {
    deviceFlow: { enabled: true },
    devInteractions: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: ACCESS_TOKENS === 'jwt',
      defaultResource: () => GATEWAY,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: '', audience: GATEWAY, accessTokenFormat: 'jwt' }),
    },
  },
};

async function log(ctx, next) {
  await next();
  const { route, params = {} } = ctx.oidc ?? {};
  if (!['device_authorization', 'token', 'revocation'].includes(route)) return;
  say({
    endpoint: route,
    grant_type: params.grant_type ?? null,
    refresh_token: params.refresh_token ? sha256(params.refresh_token) : null,
    // Tests introspect tokens that the program did not store.
    access_token: route === 'token' ? (ctx.body?.access_token ?? null) : null,
    status: ctx.status,
    error: ctx.body?.error ?? null,
  });
}

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration);
  provider.on('server_error', (_, error) => console.error(error));
  provider.use(log);
  server.on('request', provider.callback());
  say({
    issuer,
    authorization_endpoint: `${issuer}/auth`,
    device_authorization_endpoint: `${issuer}/device/auth`,
    token_endpoint: `${issuer}/token`,
    revocation_endpoint: `${issuer}/token/revocation`,
    introspection_endpoint: `${issuer}/token/introspection`,
    jwks_uri: `${issuer}/jwks`,
    userinfo_endpoint: `${issuer}/me`,
  });
});
process.stdin.on('end', () => process.exit()).resume();
