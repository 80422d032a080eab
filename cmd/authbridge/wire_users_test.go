package main

import (
	"slices"
	"strings"
	"testing"

	"authbridge/agent/api"
	"authbridge/agent/contract"
	"authbridge/platform"
)

// TestWhoMayWhatOfTheSystemService is the table of docs/service.md.
func TestWhoMayWhatOfTheSystemService(t *testing.T) {
	t.Parallel()
	const every, member, hardware = "read", "read lease virtual", "read lease virtual physical"
	all := wordsOf(contract.Rights)
	for _, row := range []struct {
		name           string
		standing       platform.Standing
		present, group string // what they may, as physical is for
	}{
		{"a stranger", platform.Standing{}, every, every},
		{"a stranger at the screen", platform.Standing{Present: true}, every, every},
		{"a member elsewhere", platform.Standing{Member: true}, member, hardware},
		{"a member at the screen", platform.Standing{Member: true, Present: true}, hardware, hardware},
		{"an administrator", platform.Standing{Admin: true}, all, all},
		{"an administrator who is all", platform.Standing{Admin: true, Member: true, Present: true}, all, all},
	} {
		for policy, want := range map[physicalPolicy]string{forPresent: row.present, forGroup: row.group} {
			if got := wordsOf(systemRights(row.standing, policy)); got != want {
				t.Errorf("%s, physical for the whole group %v: %q, want %q", row.name, policy, got, want)
			}
		}
	}
}

func wordsOf(rights []contract.Right) string {
	var list []string
	for _, r := range rights {
		list = append(list, string(r))
	}
	return strings.Join(list, " ")
}

// TestAUsersOwnDaemonIsForNobodyElse, whatever else they are to the machine.
func TestAUsersOwnDaemonIsForNobodyElse(t *testing.T) {
	t.Parallel()
	own, forget, err := knownUsers(t.Context(), settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = forget() }()
	for id, want := range map[string][]contract.Right{own.self: contract.Rights, "": contract.Rights, "0x": nil, "4001": nil, own.self + "0": nil} {
		if got := own.Rights(api.User{ID: id, Elevated: true}); !slices.Equal(got, want) {
			t.Errorf("user %q has %v", id, got)
		}
	}
}

// TestTheSystemServiceKnowsNoTokenOfNobody: such as those of a state folder that
// was somebody's own.
func TestTheSystemServiceKnowsNoTokenOfNobody(t *testing.T) {
	t.Parallel()
	system, forget, err := knownUsers(t.Context(), settings{System: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = forget() }()
	if got := system.Rights(api.User{Elevated: true}); got != nil {
		t.Errorf("it has %v", got)
	}
	if got := system.Rights(api.User{ID: "0"}); slices.Contains(got, contract.RightAdmin) {
		t.Errorf("an administrator who does not act as one has %v", got)
	}
}
