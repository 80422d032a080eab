package main

import (
	"fmt"
	"os"
	"path/filepath"

	"authbridge/agent/failure"
	"authbridge/platform"
)

// settings are what is in force: file below environment below flags.
type settings struct {
	Config
	// System: it serves all users of this machine, as the system service does.
	System bool `json:"system,omitempty"`
	// File is the configuration file, whether it exists or not; Found is
	// whether it does.
	File  string `json:"file"`
	Found bool   `json:"found"`
	// From says for each key that is not the default where it comes from.
	From map[string]string `json:"from"`
}

// virtualOn decides "auto": on where there is no configuration file.
func (s settings) virtualOn() bool {
	return s.Virtual == "on" || s.Virtual == "auto" && !s.Found
}

// overrides are the flags of run; empty is not given.
type overrides struct {
	config, stateDir, listen, logLevel, virtual, physical string
	system                                                bool
}

// paths are where the daemon keeps what it has.
func (o overrides) paths() platform.Paths {
	if o.system {
		return platform.SystemPaths()
	}
	return platform.UserPaths()
}

// settle reads the file and lays environment and flags over it. All that is
// wrong, wherever it came from, is one ConfigError.
func settle(o overrides, getenv func(string) string) (settings, error) {
	s, err := lay(o, getenv)
	return s, configInvalid(err)
}

func configInvalid(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", failure.ConfigInvalid, err)
}

func lay(o overrides, getenv func(string) string) (settings, error) {
	s := settings{System: o.system, File: o.config}
	if s.File == "" {
		s.File = o.paths().Config
	}
	var err error
	if s.Config, s.From, s.Found, err = loadConfig(s.File); err != nil {
		return s, err
	}
	if s.From == nil {
		s.From = map[string]string{}
	}
	if !s.Found && o.config != "" {
		return s, &ConfigError{[]Finding{{Where: o.config, What: "there is no such file", Remedy: "name an existing file with --config, or leave it out for the embedded default"}}}
	}
	set := func(key string, value *string, where, given string) {
		if given != "" {
			*value = given
			s.From[key] = where
		}
	}
	set("listen", &s.Listen, "AUTHBRIDGE_LISTEN", getenv("AUTHBRIDGE_LISTEN"))
	set("state_dir", &s.StateDir, "AUTHBRIDGE_STATE_DIR", getenv("AUTHBRIDGE_STATE_DIR"))
	set("log_level", &s.LogLevel, "AUTHBRIDGE_LOG_LEVEL", getenv("AUTHBRIDGE_LOG_LEVEL"))
	set("listen", &s.Listen, "--listen", o.listen)
	set("state_dir", &s.StateDir, "--state-dir", o.stateDir)
	set("log_level", &s.LogLevel, "--log-level", o.logLevel)
	set("virtual", &s.Virtual, "--virtual", o.virtual)
	set("physical", &s.Physical, "--physical", o.physical)
	if s.StateDir == "" {
		s.StateDir = o.paths().State
	} else if from := s.From["state_dir"]; from == "--state-dir" || from == "AUTHBRIDGE_STATE_DIR" {
		// The shell has expanded it; it is relative to where the command runs.
		if s.StateDir, err = filepath.Abs(s.StateDir); err != nil {
			return s, err
		}
	}
	bad := validate(s.Config)
	for i, f := range bad {
		if from, ok := s.From[f.Where]; ok {
			bad[i].Where = from
		}
	}
	if len(bad) > 0 {
		return s, &ConfigError{bad}
	}
	return s, nil
}

// usual is whether the state folder is the user's usual one: only that daemon
// also listens in the usual place of sockets.
func (s settings) usual() bool { return s.StateDir == platform.UserPaths().State }

func getenv(name string) string { return os.Getenv(name) }
