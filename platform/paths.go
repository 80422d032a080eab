package platform

import (
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
)

// Paths says where a daemon keeps what it has.
type Paths struct {
	State   string // folder, 0700: database, socket, token, virtual devices
	Config  string // file; it need not exist
	Runtime string // folder for the socket in its usual place
}

// UserPaths are the paths of the current user.
func UserPaths() Paths {
	return userPaths(runtime.GOOS, os.Getenv, homeDir())
}

// SystemPaths are those of the system service. All may go into Runtime, which
// has the socket and nothing else.
func SystemPaths() Paths { return systemPaths(runtime.GOOS, os.Getenv) }

func systemPaths(goos string, env func(string) string) Paths {
	switch goos {
	case "windows":
		data := env("ProgramData")
		if !filepath.IsAbs(data) {
			data = `C:\ProgramData`
		}
		dir := filepath.Join(data, "authbridge")
		return Paths{State: dir, Config: filepath.Join(dir, "config.toml"), Runtime: dir}
	case "darwin":
		dir := "/Library/Application Support/authbridge"
		return Paths{State: dir + "/state", Config: dir + "/config.toml", Runtime: "/var/run/authbridge"}
	default: // as systemd makes them (systemd.exec(5))
		return Paths{State: "/var/lib/authbridge", Config: "/etc/authbridge/config.toml", Runtime: "/run/authbridge"}
	}
}

// homeDir is the home folder, or one below the temporary folder where there is
// none (a container): a daemon must be able to start there too.
func homeDir() string {
	if home, err := os.UserHomeDir(); err == nil && filepath.IsAbs(home) {
		return home
	}
	if u, err := user.Current(); err == nil && filepath.IsAbs(u.HomeDir) {
		return u.HomeDir
	}
	return filepath.Join(os.TempDir(), "authbridge-"+strconv.Itoa(os.Getuid()))
}

// userPaths takes GOOS as a value so that each policy is tested everywhere.
func userPaths(goos string, env func(string) string, home string) Paths {
	or := func(name, otherwise string) string {
		if v := env(name); filepath.IsAbs(v) {
			return v
		}
		return otherwise
	}
	switch goos {
	case "windows":
		local := or("LocalAppData", filepath.Join(home, "AppData", "Local"))
		roaming := or("AppData", filepath.Join(home, "AppData", "Roaming"))
		return Paths{
			State:   filepath.Join(local, "authbridge"),
			Config:  filepath.Join(roaming, "authbridge", "config.toml"),
			Runtime: filepath.Join(local, "authbridge"),
		}
	case "darwin":
		support := filepath.Join(home, "Library", "Application Support", "authbridge")
		return Paths{State: support, Config: filepath.Join(support, "config.toml"), Runtime: support}
	default: // XDG base directory specification
		state := filepath.Join(or("XDG_STATE_HOME", filepath.Join(home, ".local", "state")), "authbridge")
		run := state
		if dir := env("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
			run = filepath.Join(dir, "authbridge")
		}
		return Paths{
			State:   state,
			Config:  filepath.Join(or("XDG_CONFIG_HOME", filepath.Join(home, ".config")), "authbridge", "config.toml"),
			Runtime: run,
		}
	}
}

// SocketIn is the address of the daemon that keeps its state in dir: a Unix
// socket, or the name of a pipe.
func SocketIn(dir string) string { return socketIn(runtime.GOOS, dir) }
