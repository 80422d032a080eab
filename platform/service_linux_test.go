package platform

import "testing"

// TestWhatSystemdSaysOfAUnit: that it waits for its next try is not that it runs.
func TestWhatSystemdSaysOfAUnit(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		text string
		want ServiceState
	}{
		"none": {
			"NRestarts=0\nLoadState=not-found\nActiveState=inactive\nSubState=dead\nUnitFileState=\nFragmentPath=\n",
			ServiceState{},
		},
		"running": {
			"NRestarts=0\nLoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nFragmentPath=/home/ada/.config/systemd/user/authbridge.service\n",
			ServiceState{Installed: true, Enabled: true, Running: true, Unit: "/home/ada/.config/systemd/user/authbridge.service"},
		},
		"waiting for its next try": {
			"NRestarts=3\nLoadState=loaded\nActiveState=activating\nSubState=auto-restart\nUnitFileState=enabled\nFragmentPath=/u\n",
			ServiceState{Installed: true, Enabled: true, Detail: "auto-restart", Unit: "/u", Restarts: 3},
		},
		"given up": {
			"NRestarts=10\nLoadState=loaded\nActiveState=failed\nSubState=failed\nUnitFileState=disabled\nFragmentPath=/u\nStatusText=STATE_DAMAGED: /s/authbridge.db: no=database\n",
			ServiceState{Installed: true, Detail: "failed", Why: "STATE_DAMAGED: /s/authbridge.db: no=database", Unit: "/u", Restarts: 10},
		},
		"a package's": {
			"NRestarts=0\nLoadState=loaded\nActiveState=inactive\nSubState=dead\nUnitFileState=enabled\nFragmentPath=/usr/lib/systemd/user/authbridge.service\n",
			ServiceState{Installed: true, Enabled: true, FromPackage: true, Unit: "/usr/lib/systemd/user/authbridge.service"},
		},
		"nothing that is understood": {"what\n\n=\n", ServiceState{}},
	} {
		if got := unitState(row.text); got != row.want {
			t.Errorf("%s: %+v, want %+v", name, got, row.want)
		}
	}
}
