package platform

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestUserPathsFollowTheHabitsOfEachSystem(t *testing.T) {
	t.Parallel()
	abs := func(parts ...string) string {
		return filepath.Join(append([]string{filepath.VolumeName(os.TempDir()) + string(filepath.Separator)}, parts...)...)
	}
	home := abs("home", "ann")
	for name, c := range map[string]struct {
		goos string
		env  map[string]string

		want Paths
	}{
		"linux with nothing set": {
			goos: "linux",
			want: Paths{
				State:   filepath.Join(home, ".local", "state", "authbridge"),
				Config:  filepath.Join(home, ".config", "authbridge", "config.toml"),
				Runtime: filepath.Join(home, ".local", "state", "authbridge"),
			},
		},
		"linux with XDG": {
			goos: "linux",
			env:  map[string]string{"XDG_STATE_HOME": abs("s"), "XDG_CONFIG_HOME": abs("c"), "XDG_RUNTIME_DIR": abs("run", "user", "1000")},
			want: Paths{
				State: abs("s", "authbridge"), Config: abs("c", "authbridge", "config.toml"),
				Runtime: abs("run", "user", "1000", "authbridge"),
			},
		},
		"a relative XDG folder is ignored, as its specification says": {
			goos: "linux", env: map[string]string{"XDG_STATE_HOME": "s"},
			want: Paths{
				State:   filepath.Join(home, ".local", "state", "authbridge"),
				Config:  filepath.Join(home, ".config", "authbridge", "config.toml"),
				Runtime: filepath.Join(home, ".local", "state", "authbridge"),
			},
		},
		"macOS": {
			goos: "darwin",
			want: Paths{
				State:   filepath.Join(home, "Library", "Application Support", "authbridge"),
				Config:  filepath.Join(home, "Library", "Application Support", "authbridge", "config.toml"),
				Runtime: filepath.Join(home, "Library", "Application Support", "authbridge"),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && c.env != nil {
				t.Skip("what an absolute path is, is asked of the system that runs")
			}
			got := userPaths(c.goos, func(k string) string { return c.env[k] }, home)
			if got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestSystemPathsAreThoseOfItsUnit(t *testing.T) {
	t.Parallel()
	unit, err := os.ReadFile("units/system.service")
	if err != nil {
		t.Fatal(err)
	}
	paths := systemPaths("linux", func(string) string { return "" })
	for path, directive := range map[string]string{
		paths.State: "StateDirectory=authbridge\n", paths.Runtime: "RuntimeDirectory=authbridge\n",
		filepath.Dir(paths.Config): "ConfigurationDirectory=authbridge\n",
	} {
		if !strings.Contains(string(unit), "\n"+directive) || filepath.Base(path) != "authbridge" {
			t.Errorf("the unit has not %q for %s", directive, path)
		}
	}
	if got := systemPaths("windows", func(string) string { return `C:\PD` }); !strings.Contains(got.State, "authbridge") || got.State == got.Config {
		t.Errorf("%+v", got)
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
