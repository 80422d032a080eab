package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

const twoUsers = `# Of the ward.
virtual = "on" # for now

# Ada is the doctor.
[[user]]
name = "ada" # "ben" is next
uuid = { mock = "656005750108" }
authenticators = [
	"key-aaaaaaaaaaaa", # blue, [[user]]
	"key-bbbbbbbbbbbb"  # red
]

[mock]
listen = "localhost:9000"

[[user]]
name = 'ben'
# ben's UUIDs
[user.uuid]
mock = "656005750105"
int = "555250000001"

# The end.
`

// TestOnlyTheLinesOfTheUserChange: all else is as it was, octet by octet.
func TestOnlyTheLinesOfTheUserChange(t *testing.T) {
	t.Parallel()
	ada := strings.Index(twoUsers, "[[user]]\nname = \"ada\"")
	adaEnd := strings.Index(twoUsers, "\n[mock]")
	ben := strings.Index(twoUsers, "[[user]]\nname = 'ben'")
	benEnd := strings.Index(twoUsers, "\n# The end")
	cyd := User{Name: "cyd \"x\" é", UUID: map[string]string{"mock": "656005750106", "int": "555250000003"}, Authenticators: []string{"key-1", "key-2"}, TOTPFile: `/a\b`, AAL: 2, givenAAL: true, Roles: []string{"R8000"}}
	for name, tt := range map[string]struct {
		text string
		edit func([]byte) []byte
		want string
	}{
		"add": {
			twoUsers, func(b []byte) []byte { return addUser(b, cyd) },
			twoUsers + "\n[[user]]\nname = \"cyd \\\"x\\\" é\"\nuuid = { int = \"555250000003\", mock = \"656005750106\" }\n" +
				"authenticators = [\"key-1\", \"key-2\"]\ntotp_file = \"/a\\\\b\"\naal = 2\nroles = [\"R8000\"]\n",
		},
		"remove the first": {twoUsers, remove(t, "ada"), twoUsers[:ada] + twoUsers[adaEnd:]},
		"remove one that stands apart": {
			twoUsers, remove(t, "ben"), twoUsers[:ben-1] + twoUsers[benEnd:],
		},
		"bind to a list of lines": {
			twoUsers, bind(t, "ada", "key-cccccccccccc"), strings.Replace(twoUsers, `"key-bbbbbbbbbbbb"  #`, `"key-bbbbbbbbbbbb", "key-cccccccccccc"  #`, 1),
		},
		"bind where there is no list": {
			twoUsers, bind(t, "ben", "key-c"), strings.Replace(twoUsers, "name = 'ben'\n", "name = 'ben'\nauthenticators = [\"key-c\"]\n", 1),
		},
		"unbind a line": {
			twoUsers, unbind(t, "ada", 0), strings.Replace(twoUsers, "\t\"key-aaaaaaaaaaaa\", # blue, [[user]]\n", "", 1),
		},
		"unbind the last line": {
			twoUsers, unbind(t, "ada", 1), strings.Replace(twoUsers, "\t\"key-bbbbbbbbbbbb\"  # red\n", "", 1),
		},
		"unbind the first of a line": {list(`["a", "b", "c"]`), unbind(t, "x", 0), list(`["b", "c"]`)},
		"unbind the middle":          {list(`["a", "b",  "c"]`), unbind(t, "x", 1), list(`["a",  "c"]`)},
		"unbind the last":            {list(`["a" ,"b"]`), unbind(t, "x", 1), list(`["a"]`)},
		"unbind the only one":        {list(`["a"]`), unbind(t, "x", 0), list(`[]`)},
		"unbind from lines":          {list("[\"a\",\n\"b\"]"), unbind(t, "x", 1), list("[\"a\",\n]")},
		"bind to none":               {list(`[ # none yet` + "\n]"), bind(t, "x", "a"), list(`["a" # none yet` + "\n]")},
		"bind behind a comma":        {list(`["a",]`), bind(t, "x", "b"), list(`["a", "b",]`)},
		"the lines of another system": {
			strings.ReplaceAll(list(`["a"]`), "\n", "\r\n"), func(b []byte) []byte { return addUser(b, User{Name: "y", AAL: 3}) },
			strings.ReplaceAll(list(`["a"]`)+"\n[[user]]\nname = \"y\"\nuuid = {  }\n", "\n", "\r\n"),
		},
		"a text without an end": {
			"virtual = \"on\"", func(b []byte) []byte { return addUser(b, User{Name: "y", AAL: 3}) },
			"virtual = \"on\"\n\n[[user]]\nname = \"y\"\nuuid = {  }",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := []byte(tt.text)
			if got := string(tt.edit(given)); got != tt.want {
				t.Errorf("it is\n%s\nwant\n%s", got, tt.want)
			}
			if string(given) != tt.text {
				t.Error("the text itself was changed")
			}
			if _, err := findUsers([]byte(tt.want)); err != nil {
				t.Errorf("what is wanted is no TOML: %v", err)
			}
		})
	}
}

func list(ids string) string { return "[[user]]\nname = \"x\"\nauthenticators = " + ids + "\n" }

func must(t *testing.T, text []byte, name string) userLines {
	t.Helper()
	u, err := findUser(text, name)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func remove(t *testing.T, name string) func([]byte) []byte {
	return func(text []byte) []byte { return removeUser(text, must(t, text, name)) }
}

func bind(t *testing.T, name, id string) func([]byte) []byte {
	return func(text []byte) []byte { return bindUser(text, must(t, text, name), id) }
}

func unbind(t *testing.T, name string, n int) func([]byte) []byte {
	return func(text []byte) []byte { return unbindUser(text, must(t, text, name), n) }
}

func TestUsersInOneListAreNotChanged(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"user = [{ name = \"ada\" }]\n", "[user]\nname = \"ada\"\n", "[user.uuid]\nmock = \"1\"\n", "user.name = \"ada\"\n"} {
		if _, err := findUsers([]byte(text)); err != errInlineUsers { //nolint:errorlint // it is that very one
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestWhatWouldSaySomethingElseIsNotWritten: the file is read back before it is
// one.
func TestWhatWouldSaySomethingElseIsNotWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(twoUsers), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := openConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{twoUsers + "\n[trace]\napdu = true\n", twoUsers + "moon = 1\n", ""} {
		if err := f.write([]byte(text), f.Config); err == nil {
			t.Errorf("%q was written", text)
		}
	}
	// Nor what would undo another's change.
	if err := os.WriteFile(path, []byte("# Mine.\n"+twoUsers), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.write([]byte(twoUsers+"# Ours.\n"), f.Config); err == nil || !strings.Contains(err.Error(), "meanwhile") {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "# Mine.\n"+twoUsers {
		t.Errorf("it is %q, %v", got, err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// FuzzEditUsers: what is added and taken out again leaves no trace, in whatever
// file that is in order.
func FuzzEditUsers(f *testing.F) {
	for _, text := range []string{
		"", "\n", " ", "# nothing", "virtual = \"on\"\n", "virtual = \"on\"", "a\r\n", twoUsers, list(`["a", "b"]`), list("[\n\"a\", # x\n]"),
		strings.ReplaceAll(twoUsers, "\n", "\r\n"), "log_level = \"\"\"info\"\"\"\n", "[[user]]\nname = '''\n[[user]]\n'''\nuuid.mock = \"656005750108\"", "[mock]\n\n\n",
	} {
		f.Add(text, "zoe", "key-0")
	}
	f.Fuzz(func(t *testing.T, text, name, id string) {
		before, _, err := parseConfig("x.toml", []byte(text))
		if err != nil || !utf8.ValidString(name) || !utf8.ValidString(id) {
			return
		}
		was, err := findUsers([]byte(text))
		if err != nil {
			return
		}
		if len(was) != len(before.Users) {
			t.Fatalf("%d users are found, %d are read", len(was), len(before.Users))
		}
		zoe := User{Name: name, UUID: map[string]string{"mock": "656005750999"}, AAL: 3}
		added := addUser([]byte(text), zoe)
		after, _, err := parseConfig("x.toml", added)
		if err != nil {
			return // the name is none, or is taken
		}
		if n := len(after.Users) - 1; n < 0 || !reflect.DeepEqual(after.Users[n], zoe) || !reflect.DeepEqual(after.Users[:n], append([]User{}, before.Users...)) {
			t.Fatalf("%+v after %+v", after.Users, before.Users)
		}
		bound := bindUser(added, must(t, added, name), id)
		if c, _, err := parseConfig("x.toml", bound); err == nil {
			if got := c.Users[len(c.Users)-1].Authenticators; !reflect.DeepEqual(got, []string{id}) {
				t.Fatalf("bound is %q to %q", got, id)
			}
			if again := string(removeUser(bound, must(t, bound, name))); again != text {
				t.Fatalf("bound and removed it is\n%q\nwas\n%q", again, text)
			}
		}
		if again := string(removeUser(added, must(t, added, name))); again != text {
			t.Fatalf("it is\n%q\nwas\n%q", again, text)
		}
		// And what is bound to those that were there is unbound again.
		for n, u := range was {
			bound := bindUser([]byte(text), u, id)
			c, _, err := parseConfig("x.toml", bound)
			if err != nil {
				continue
			}
			ids := c.Users[n].Authenticators
			if len(ids) == 0 || ids[len(ids)-1] != id {
				t.Fatalf("bound is %q to %q", ids, id)
			}
			there, err := findUsers(bound)
			if err != nil {
				t.Fatal(err)
			}
			back := unbindUser(bound, there[n], len(ids)-1)
			if c, _, err = parseConfig("x.toml", back); err != nil || !reflect.DeepEqual(c.Users, before.Users) {
				t.Fatalf("unbound it is\n%q\nwas\n%q: %v", back, text, err)
			}
			if u.list != nil && string(back) != text {
				t.Fatalf("unbound it is\n%q\nwas\n%q", back, text)
			}
		}
	})
}
