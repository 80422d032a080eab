package main

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"authbridge/platform"
)

// newConfigUser edits the users of the configuration file.
func newConfigUser(f *flags) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "user", Short: "List or change the users in the configuration file",
		Long: `List or change the users in the configuration file: who they are at each target,
and which authenticators are theirs. All else in the file, comments too, stays
as it is. A running daemon reads the file when it is reloaded (SIGHUP) or starts
again.

Where there is no file yet, one is made, with virtual authenticators on: they
are on without a file, and off with one that does not say so.`,
		Example: `  authbridge config user add ada --uuid mock=656005750108 --aal 2
  authbridge config user bind ada key-4f2a90c1d3e5`,
		Args: cobra.NoArgs,
	}
	c.PersistentFlags().StringVar(&file, "config", "", "configuration file (default: the user's)")
	c.AddCommand(
		newUserAdd(f, &file),
		&cobra.Command{
			Use: "list", Short: "List the users", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				config, err := openConfig(file)
				if err != nil {
					return err
				}
				if f.json {
					return writeJSON(c.OutOrStdout(), append([]User{}, config.Users...))
				}
				newScreen(c.OutOrStdout()).showUsers(config.Users)
				return nil
			},
		},
		&cobra.Command{
			Use: "remove NAME", Short: "Take a user out", Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				return editUser(c.OutOrStdout(), file, args[0], args[0]+" is removed from", func(text []byte, u *User, at userLines) ([]byte, error) {
					*u = User{}
					return removeUser(text, at), nil
				})
			},
		},
		&cobra.Command{
			Use: "bind NAME ID…", Short: "Say that authenticators are a user's", Args: cobra.MinimumNArgs(2),
			RunE: func(c *cobra.Command, args []string) error {
				return editIDs(c.OutOrStdout(), file, args, "bound to", func(text []byte, u *User, at userLines, id string) ([]byte, error) {
					if slices.Contains(u.Authenticators, id) {
						return text, nil
					}
					u.Authenticators = append(slices.Clone(u.Authenticators), id)
					return bindUser(text, at, id), nil
				})
			},
		},
		&cobra.Command{
			Use: "unbind NAME ID…", Short: "Say that authenticators are not a user's any more", Args: cobra.MinimumNArgs(2),
			RunE: func(c *cobra.Command, args []string) error {
				return editIDs(c.OutOrStdout(), file, args, "no longer bound to", func(text []byte, u *User, at userLines, id string) ([]byte, error) {
					n := slices.Index(u.Authenticators, id)
					if n < 0 || at.list == nil || n >= len(at.list.items) {
						return nil, usage("%s is not bound to %s\n  → see authbridge config user list", id, u.Name)
					}
					if u.Authenticators = slices.Delete(slices.Clone(u.Authenticators), n, n+1); len(u.Authenticators) == 0 {
						u.Authenticators = nil
					}
					return unbindUser(text, at, n), nil
				})
			},
		},
	)
	return c
}

func newUserAdd(f *flags, file *string) *cobra.Command {
	var uuids []string
	u := User{}
	c := &cobra.Command{
		Use: "add NAME", Short: "Add a user", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			u.Name, u.UUID = args[0], map[string]string{}
			for _, one := range uuids {
				target, uuid, ok := strings.Cut(one, "=")
				if _, twice := u.UUID[target]; !ok || twice {
					return usage("--uuid is %q\n  → write each target once, with the 12 digits: --uuid mock=656005750108", one)
				}
				u.UUID[target] = uuid
			}
			if u.TOTPFile != "" {
				path, err := filepath.Abs(u.TOTPFile)
				if err != nil {
					return err
				}
				u.TOTPFile = path
			}
			u.givenAAL = c.Flags().Changed("aal")
			return addTo(c, *file, f.json, u)
		},
	}
	c.Flags().StringArrayVar(&uuids, "uuid", nil, "UUID of the user at a target: mock=656005750108 (once for each target)")
	c.Flags().StringArrayVar(&u.Authenticators, "authenticator", nil, "id of an authenticator that is the user's (as often as needed)")
	c.Flags().StringVar(&u.TOTPFile, "totp-file", "", "file with the secret of the user's authenticator app")
	c.Flags().IntVar(&u.AAL, "aal", usualAAL, "highest level that the mock lets the user reach: 1, 2 or 3")
	c.Flags().StringArrayVar(&u.Roles, "role", nil, "role code of the user at the mock: R8000 (as often as needed)")
	return c
}

func addTo(c *cobra.Command, file string, asJSON bool, u User) error {
	config, err := openConfig(file)
	if err != nil {
		return err
	}
	want := config.Config
	want.Users = append(slices.Clone(want.Users), u)
	// Said of the flags, before it would be said of lines that nobody has written.
	for _, bad := range userFindings(want.Users, want.targets()) {
		if strings.HasPrefix(bad.Where, member(userTable, len(want.Users)-1, "")) {
			return usage("%s\n  → %s", bad.What, bad.Remedy)
		}
	}
	if _, err := findUsers(config.text); err != nil {
		return &exit{exitRefused, fmt.Errorf("%s: %w", config.path, err)}
	}
	if err := config.write(addUser(config.text, u), want); err != nil {
		return err
	}
	for _, target := range slices.Sorted(maps.Keys(u.UUID)) {
		if remark := uuidRemark(target, u.UUID[target]); remark != "" {
			_, _ = fmt.Fprintf(c.ErrOrStderr(), "the UUID for %s is unusual: %s\n", target, remark)
		}
	}
	if u.TOTPFile != "" {
		if err := platform.CheckSecret(u.TOTPFile); err != nil {
			_, _ = fmt.Fprintf(c.ErrOrStderr(), "the secret of the app cannot be read yet: %v\n", err)
		}
	}
	if asJSON {
		return writeJSON(c.OutOrStdout(), u)
	}
	if config.fresh {
		_, _ = fmt.Fprintf(c.OutOrStdout(), "%s is new; virtual authenticators stay on, by virtual = \"on\" in it\n", config.path)
	}
	return tellEdited(c.OutOrStdout(), u.Name+" is added to", config.path)
}

func tellEdited(w io.Writer, done, path string) error {
	_, err := fmt.Fprintf(w, "%s %s; a running daemon takes it when it is reloaded (SIGHUP) or restarted\n", done, path)
	return err
}

// editUser changes the lines of one user, and u to what they then say; a user
// without a name is gone.
func editUser(w io.Writer, file, name, done string, edit func(text []byte, u *User, at userLines) ([]byte, error)) error {
	config, err := openConfig(file)
	if err != nil {
		return err
	}
	if err := config.edit(name, edit); err != nil {
		return err
	}
	return tellEdited(w, done, config.path)
}

// editIDs does so for each id, and writes once.
func editIDs(w io.Writer, file string, args []string, done string, edit func(text []byte, u *User, at userLines, id string) ([]byte, error)) error {
	done = strings.Join(args[1:], ", ") + ": " + done + " " + args[0] + " in"
	return editUser(w, file, args[0], done, func(text []byte, u *User, at userLines) (_ []byte, err error) {
		for _, id := range args[1:] {
			if text, err = edit(text, u, at, id); err != nil {
				return nil, err
			}
			if at, err = findUser(text, u.Name); err != nil {
				return nil, err
			}
		}
		return text, nil
	})
}

func findUser(text []byte, name string) (userLines, error) {
	all, err := findUsers(text)
	if err != nil {
		return userLines{}, err
	}
	i := slices.IndexFunc(all, func(u userLines) bool { return u.name == name })
	if i < 0 {
		return userLines{}, errInlineUsers
	}
	return all[i], nil
}

func (f *configFile) edit(name string, edit func(text []byte, u *User, at userLines) ([]byte, error)) error {
	n := slices.IndexFunc(f.Users, func(u User) bool { return u.Name == name })
	if n < 0 {
		return usage("%s has no user %q\n  → see authbridge config user list", f.path, name)
	}
	at, err := findUser(f.text, name)
	if err != nil {
		return &exit{exitRefused, fmt.Errorf("%s: %w", f.path, err)}
	}
	want := f.Config
	want.Users = slices.Clone(f.Users)
	text, err := edit(f.text, &want.Users[n], at)
	if err != nil {
		return err
	}
	if want.Users[n].Name == "" {
		if want.Users = slices.Delete(want.Users, n, n+1); len(want.Users) == 0 {
			want.Users = nil
		}
	}
	return f.write(text, want)
}

func (s *screen) showUsers(all []User) {
	if len(all) == 0 {
		s.line("no users")
	}
	rows := make([][]string, 0, len(all))
	for _, u := range all {
		var uuids []string
		for _, target := range slices.Sorted(maps.Keys(u.UUID)) {
			uuids = append(uuids, target+" "+u.UUID[target])
		}
		app := ""
		if u.TOTPFile != "" {
			app = "app"
		}
		rows = append(rows, []string{u.Name, strings.Join(uuids, ", "), fmt.Sprintf("AAL%d", u.AAL), strings.Join(u.Authenticators, " "), app})
	}
	s.table("", rows)
}
