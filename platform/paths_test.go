package platform

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestUserPathsFollowTheHabitsOfEachSystem(t *testing.T) {
	t.Parallel()
	abs := func(parts ...string) string {
		return filepath.Join(append([]string{string(filepath.Separator)}, parts...)...)
	}
	home := abs("home", "ann")
	for name, c := range map[string]struct {
		goos string
		env  map[string]string
		uid  int
		want Paths
	}{
		"linux with nothing set": {
			goos: "linux", uid: 1000,
			want: Paths{
				State:   filepath.Join(home, ".local", "state", "authbridge"),
				Config:  filepath.Join(home, ".config", "authbridge", "config.toml"),
				Runtime: filepath.Join(home, ".local", "state", "authbridge"),
			},
		},
		"linux with XDG": {
			goos: "linux", uid: 1000,
			env: map[string]string{"XDG_STATE_HOME": abs("s"), "XDG_CONFIG_HOME": abs("c"), "XDG_RUNTIME_DIR": abs("run", "user", "1000")},
			want: Paths{
				State: abs("s", "authbridge"), Config: abs("c", "authbridge", "config.toml"),
				Runtime: abs("run", "user", "1000", "authbridge"),
			},
		},
		"a relative XDG folder is ignored, as its specification says": {
			goos: "linux", uid: 1000, env: map[string]string{"XDG_STATE_HOME": "s"},
			want: Paths{
				State:   filepath.Join(home, ".local", "state", "authbridge"),
				Config:  filepath.Join(home, ".config", "authbridge", "config.toml"),
				Runtime: filepath.Join(home, ".local", "state", "authbridge"),
			},
		},
		"macOS": {
			goos: "darwin", uid: 501,
			want: Paths{
				State:   filepath.Join(home, "Library", "Application Support", "authbridge"),
				Config:  filepath.Join(home, "Library", "Application Support", "authbridge", "config.toml"),
				Runtime: filepath.Join(home, "Library", "Application Support", "authbridge"),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := userPaths(c.goos, func(k string) string { return c.env[k] }, home, c.uid)
			if got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestSocketNameAlwaysFitsASocketAddress(t *testing.T) {
	t.Parallel()
	deep := "/" + strings.Repeat("a/very/deep/", 20)
	for _, goos := range []string{"linux", "darwin"} {
		if got := socketIn(goos, deep); len(got) > maxSocketPath {
			t.Errorf("%s: %d octets: %s", goos, len(got), got)
		}
	}
	if socketIn("linux", deep) == socketIn("linux", deep+"b") {
		t.Error("two folders share a socket")
	}
	if got := socketIn("windows", `C:\x`); !strings.HasPrefix(got, `\\.\pipe\authbridge-`) {
		t.Errorf("not a pipe: %s", got)
	}
}
