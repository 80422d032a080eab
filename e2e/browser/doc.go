// Package browser holds the tests in a real browser: the npm package
// clients/playwright, the real daemon with its embedded virtual key, and a
// relying party of others (go-webauthn) whose pages use a library of others
// (@simplewebauthn/browser), unchanged. Run with the build tag e2e, it starts
// all of it, runs the specs of clients/playwright/e2e in Debian's Chromium, and
// reads their report. At the daemon's mock of CIS2, relying parties made of npm
// openid-client and of go-oidc sign in, and a hostile page tries to; one made of
// npm express-openid-connect is checked. It has no code but tests.
package browser
