package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"authbridge/agent/contract"
)

// mockOrders are the commands to the mock of the running daemon.
func mockOrders(f *flags) []*cobra.Command {
	status := &cobra.Command{
		Use: "status", Short: "Show the running daemon's mock", Args: cobra.NoArgs,
		Long: `Show the mock of the running daemon: its issuer and keys, who is signed in,
applications, users, and the faults in force.`,
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := f.client().Mock(c.Context())
			return f.show(c, m, err, func(s *screen) { s.showMock(m) })
		},
	}
	return []*cobra.Command{status, newMockFault(f), newMockUser(f), newMockLogout(f), newMockRotate(f)}
}

// show writes an answer, as JSON or for a person.
func (f *flags) show(c *cobra.Command, answer any, err error, write func(*screen)) error {
	if err != nil {
		return err
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), answer)
	}
	write(newScreen(c.OutOrStdout()))
	return nil
}

func newMockFault(f *flags) *cobra.Command {
	var wanted contract.MockFaults
	c := &cobra.Command{
		Use:   "fault [FAULT...]",
		Short: "Script what the daemon's mock does wrong; without a FAULT all end",
		Long: `Script what the mock of the running daemon does wrong: with all logins, those of
a client, or a single one. The faults replace those that were there for the
same; without any, or with none, these end. They end with the daemon.

Faults are written as name, or name:duration: slow:5s, clock-skew:-90s. A wrong
one lists all.`,
		Example: "  authbridge mock fault level-low --client 000000000001.apps.national\n  authbridge mock fault slow:5s wrong-nonce\n  authbridge mock fault",
		RunE: func(c *cobra.Command, args []string) error {
			if wanted.Faults = args; len(args) == 1 && args[0] == "none" {
				wanted.Faults = nil
			}
			all, err := f.client().SetMockFaults(c.Context(), wanted)
			return f.show(c, all, err, func(s *screen) { s.showMockFaults("", all) })
		},
	}
	c.Flags().StringVar(&wanted.Client, "client", "", "only logins of this application")
	c.Flags().StringVar(&wanted.State, "state", "", "only the login whose request has this state")
	return c
}

func newMockUser(f *flags) *cobra.Command {
	list := &cobra.Command{
		Use: "user", Short: "List, make and delete users of the running daemon's mock", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := f.client().Mock(c.Context())
			return f.show(c, m.Users, err, func(s *screen) { s.showMockUsers("", m.Users) })
		},
	}
	var user contract.MockUserRequest
	set := &cobra.Command{
		Use: "set UUID", Short: "Make or change a user", Args: cobra.ExactArgs(1),
		Long: `Make or change a user of the mock, for as long as the daemon runs; [[user]] in
the configuration is for good.`,
		Example: "  authbridge mock user set 555250000009 --name 'Jo Bloggs' --aal 2 --role R8000",
		RunE: func(c *cobra.Command, args []string) error {
			if err := wantUser(args[0]); err != nil {
				return err
			}
			u, err := f.client().SetMockUser(c.Context(), args[0], user)
			return f.show(c, u, err, func(s *screen) { s.showMockUsers("", []contract.MockUser{u}) })
		},
	}
	set.Flags().StringVar(&user.Name, "name", "", "given and family name")
	set.Flags().IntVar(&user.AAL, "aal", 0, "the highest level that the user reaches: 1 to 3 (default 3)")
	set.Flags().IntVar(&user.IAL, "ial", 0, "the level of the user's identity: 1 to 3 (default 3)")
	set.Flags().StringSliceVar(&user.Roles, "role", nil, "a role's code (default R8015)")
	list.AddCommand(set, &cobra.Command{
		Use: "delete UUID", Short: "Take a user away, and end the user's sessions", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := wantUser(args[0]); err != nil {
				return err
			}
			ended, err := f.client().DeleteMockUser(c.Context(), args[0])
			return f.show(c, ended, err, func(s *screen) { s.showMockLogout(ended) })
		},
	})
	return list
}

func wantUser(uuid string) error {
	if !isUser.MatchString(uuid) {
		return usage("the user is %q\n  → write the UUID: 12 digits, as on the card", uuid)
	}
	return nil
}

func newMockLogout(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "logout [UUID]", Short: "End sessions at the running daemon's mock", Args: cobra.MaximumNArgs(1),
		Long: `End the sessions of a user at the mock of the running daemon, or all of them.
The applications that have a back-channel logout endpoint get their logout
tokens, and what they answered is shown.`,
		RunE: func(c *cobra.Command, args []string) error {
			user := strings.Join(args, "")
			if user != "" {
				if err := wantUser(user); err != nil {
					return err
				}
			}
			ended, err := f.client().EndMockSessions(c.Context(), user)
			return f.show(c, ended, err, func(s *screen) { s.showMockLogout(ended) })
		},
	}
}

func newMockRotate(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "rotate", Short: "Have the running daemon's mock sign with a new key", Args: cobra.NoArgs,
		Long: `Have the mock of the running daemon sign with a new key. The old one stays
published, so that an application that fetches keys it does not know goes on.
The new one ends with the daemon.`,
		RunE: func(c *cobra.Command, _ []string) error {
			keys, err := f.client().RotateMockKeys(c.Context())
			return f.show(c, keys, err, func(s *screen) { s.showMockKeys("", keys.Keys) })
		},
	}
}

func (s *screen) showMock(m contract.Mock) {
	s.line("issuer    %s", m.Issuer)
	if m.Authority != "" {
		s.line("trust     %s", m.Authority)
	}
	s.line("sessions  %d", m.Sessions)
	s.line("\nKeys")
	s.showMockKeys("  ", m.Keys)
	s.line("\nApplications")
	rows := make([][]string, 0, len(m.Clients))
	for _, c := range m.Clients {
		rows = append(rows, []string{c.ID, c.Name, c.Pattern, strings.Join(c.Redirects, " ")})
	}
	s.table("  ", rows)
	s.line("\nUsers")
	s.showMockUsers("  ", m.Users)
	s.line("\nFaults")
	s.showMockFaults("  ", m.Faults)
}

func (s *screen) showMockKeys(indent string, keys []string) {
	for i, key := range keys {
		does := "published"
		if i == 0 {
			does = "signs"
		}
		s.line("%s%-9s  %s", indent, does, key)
	}
}

func (s *screen) showMockUsers(indent string, all []contract.MockUser) {
	rows := make([][]string, 0, len(all))
	for _, u := range all {
		rows = append(rows, []string{u.UUID, u.Name, fmt.Sprintf("AAL%d", u.AAL), fmt.Sprintf("IAL%d", u.IAL), strings.Join(u.Roles, " ")})
	}
	s.table(indent, rows)
}

func (s *screen) showMockFaults(indent string, all []contract.MockFaults) {
	if len(all) == 0 {
		s.line("%snone", indent)
	}
	for _, f := range all {
		whose := "all logins"
		switch {
		case f.Client != "" && f.State != "":
			whose = "client " + f.Client + ", state " + f.State
		case f.Client != "":
			whose = "client " + f.Client
		case f.State != "":
			whose = "state " + f.State
		}
		s.line("%s%s: %s", indent, whose, strings.Join(f.Faults, " "))
	}
}

func (s *screen) showMockLogout(ended contract.MockLogout) {
	s.line("sessions ended: %d", ended.Sessions)
	for _, d := range ended.Deliveries {
		mark, came := markOf(contract.Pass), fmt.Sprintf("%d in %.0f ms", d.Status, d.TookMS)
		switch {
		case d.Error != "":
			mark, came = markOf(contract.Fail), d.Error
		case d.Status != http.StatusOK:
			mark = markOf(contract.Fail)
		}
		s.line("%s %s at %s: %s", s.paint(mark.colour, mark.shape), d.Client, d.Endpoint, came)
	}
}
