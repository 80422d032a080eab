package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"authbridge/agent/failure"
	"authbridge/platform"
)

// MockAddress is where a mock is, for applications and tests.
type MockAddress struct {
	URL    string `json:"url"`
	Issuer string `json:"issuer"`
	// Authority is the file with the certificate that TLS is to be checked
	// with.
	Authority string `json:"authority,omitempty"`
}

func newMock(f *flags) *cobra.Command {
	var file, listen string
	o := mockOrder{}
	c := &cobra.Command{
		Use:   "mock",
		Short: "Run the mock of CIS2 alone, or give orders to the daemon's",
		Long: `Run the mock of CIS2 alone, in the foreground. It prints where it listens and
its issuer, and stops on Ctrl-C or SIGTERM. The daemon runs one beside itself,
and the commands below are for that; this is for a machine without a daemon.

It knows the users of the public mock, those of virtual cards and of [[user]],
the applications of [[mock.client]], and a demo:
  client id  ` + demoID + `
  secret     ` + demoSecret + `
  redirect   ` + demoCallback + `
What is registered at it is forgotten when it ends. Faults are for every login;
those of one client are in the configuration: no-acr, level-low, wrong-aud,
expired, slow:5s, 500 and more, which a wrong one lists.`,
		Example: "  authbridge mock --listen localhost:9000\n  authbridge mock --tls --listen 127.0.0.1:443",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := settle(overrides{config: file, stateDir: f.stateDir}, getenv)
			if err != nil {
				return &exit{exitUsage, err}
			}
			if what, remedy := badListen(listen); what != "" {
				return usage("--listen: %s\n  → %s", what, remedy)
			}
			for _, user := range o.users {
				if !isUser.MatchString(user) {
					return usage("--user is %q\n  → write the UUID: 12 digits, as on the card", user)
				}
			}
			for _, fault := range o.faults {
				if why := badMockFault(fault); why != "" {
					return usage("--fault is %q\n  → %s", fault, why)
				}
			}
			if o.log, err = newLogger(c.ErrOrStderr(), s.LogLevel); err != nil {
				return &exit{exitUsage, err}
			}
			_, o.port, _ = net.SplitHostPort(listen)
			o.state, o.clients, o.known = s.StateDir, s.Mock.Clients, s.Users
			err = serveMock(c.Context(), o, func(m MockAddress) {
				if f.json {
					_ = writeJSON(c.OutOrStdout(), m)
					return
				}
				_, _ = fmt.Fprintf(c.OutOrStdout(), "listening on %s\nissuer %s\n", m.URL, m.Issuer)
				if m.Authority != "" {
					_, _ = fmt.Fprintf(c.OutOrStdout(), "trust %s\n", m.Authority)
				}
			})
			return startError(err)
		},
	}
	c.Flags().StringVar(&file, "config", "", "configuration file (default: the user's, if there is one)")
	c.Flags().StringVar(&listen, "listen", defaultMock, "port on both loopback addresses; 0 picks a free one")
	c.Flags().BoolVar(&o.tls, "tls", false, "serve https, certified by a local authority that no trust store has")
	c.Flags().StringVar(&o.trust, "trust", "", "PEM file with the authorities of smartcards (default: that of virtual cards)")
	c.Flags().StringSliceVar(&o.users, "user", nil, "somebody else who can sign in: 12-digit UUID")
	c.Flags().StringSliceVar(&o.faults, "fault", nil, "what it shall do wrong")
	c.AddCommand(mockOrders(f)...)
	return c
}

// mockFile is the file in the state folder that says where the daemon's mock is.
const mockFile = "mock.json"

// rememberMock writes it, forgetMock takes it away.
func rememberMock(stateDir string, m MockAddress) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(stateDir, mockFile)
	// Written beside and renamed, so that nobody ever reads half of it.
	if err = os.WriteFile(path+".new", append(text, '\n'), 0o600); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return &failure.Error{Code: failure.StateUnusable, Detail: mockFile, Err: err}
	}
	return nil
}

func forgetMock(stateDir string) error {
	if err := os.Remove(filepath.Join(stateDir, mockFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &failure.Error{Code: failure.StateUnusable, Detail: mockFile, Err: err}
	}
	return nil
}

// mockOf is the mock of the daemon that the commands speak to, as far as its
// state folder can be known.
func (f *flags) mockOf() (m MockAddress, running bool) {
	dir := f.stateDir
	switch {
	case dir == "" && getenv("AUTHBRIDGE_URL") != "":
		return m, false
	case dir == "":
		dir = platform.UserPaths().State
	}
	text, err := os.ReadFile(filepath.Join(dir, mockFile))
	return m, err == nil && json.Unmarshal(text, &m) == nil && m.Issuer != ""
}
