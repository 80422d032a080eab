//go:build linux && e2e

package wine_test

import (
	"path"
	"strings"
)

// ofPackage are the tests of a package of the module, in short.
type ofPackage struct {
	path string
	// not are those that are not for Windows, as a pattern.
	not string
	// but are tests that Wine cannot pass; one without a pattern is about all.
	but []exception
}

type exception struct{ tests, fails, because string }

// noSockets are tests that ask the API as on Unix.
var noSockets = []exception{{fails: "winapi error #10047", because: "Wine has no Unix sockets, which these tests listen on"}}

func (p ofPackage) binary() string { return strings.ReplaceAll(p.path, "/", "-") + ".test.exe" }

// run runs some of the tests, in the folder of the package.
func (p ofPackage) run(which ...string) func(*machine) error {
	return func(m *machine) error {
		_, err := m.runIn(3*patience, path.Join(checkoutDir, p.path),
			append([]string{`Z:\mnt\` + p.binary(), "-test.short", "-test.timeout", (2 * patience).String()}, which...)...)
		return err
	}
}

// packages are the rows for them.
func packages() (rows []row) {
	for _, p := range tested {
		rest := row{what: "`" + p.path + "`"}
		var skip []string
		if p.not != "" {
			skip = append(skip, p.not)
		}
		for _, x := range p.but {
			if x.tests == "" {
				rest.fails, rest.because = x.fails, x.because
				continue
			}
			skip = append(skip, x.tests)
			rows = append(rows, row{what: rest.what + ": " + x.tests, try: p.run("-test.run", x.tests), fails: x.fails, because: x.because})
		}
		if p.but != nil && skip != nil {
			rest.what += ", the others"
		}
		rest.try = p.run("-test.skip", strings.Join(skip, "|"))
		rows = append(rows, rest)
	}
	return rows
}

var tested = []ofPackage{
	{path: "platform"},
	{path: "platform/nhs"},
	{path: "agent/assurance"},
	{path: "agent/ceremony"},
	{path: "agent/cis2"},
	{path: "agent/contract"},
	{path: "agent/failure"},
	{path: "agent/health"},
	{path: "agent/inventory"},
	{path: "agent/lease"},
	{path: "agent/login"},
	{path: "agent/mockcis2"},
	{path: "agent/rpcheck"},
	{path: "agent/serve"},
	{path: "agent/store"},
	{path: "agent/target"},
	{path: "agent/virtual"},
	{path: "agent/web"},
	{path: "agent/workstation"},
	// The scripts end daemons by signals, and a reload is one; what others may read
	// is an ACL; two make the first call of a daemon, which is a row of its own.
	{path: "cmd/authbridge", not: "TestStories|TestAReload|TestAClientsProof|TestTheDaemonsMock|TestVirtualAuthenticators"},
	{path: "examples/relying-party"},
	{path: "fido"},
	{path: "fido/vkey"},
	{path: "fido/webauthn"},
	{path: "pcsc"},
	{path: "pcsc/apdu"},
	{path: "pcsc/piv"},
	{path: "pcsc/trace"},
	{path: "pcsc/vcard"},
	{path: "agent/api", but: noSockets},
	{path: "agent/client", but: noSockets},
	{path: "cmd/authbridge-tray", but: noSockets},
}
