//go:build linux && cgo

package e2e

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// seen is what came of a trouble, in the words of its row: what the daemon or the
// command does, the code and the exit code with which it does not, and what became
// of what was there.
type seen struct{ does, code, exit, left string }

func (s seen) String() string {
	return "| " + strings.Join([]string{s.does, s.code, s.exit, s.left}, " | ") + " |"
}

const (
	starts = "starts"
	stays  = "stays as it is"
	none   = "-"
)

// troubles are the rows of the table in docs/troubleshooting.md, and who tries
// them; of several, each must see what the row says. Where the daemon does not
// start, the trial does what the remedy says, and then it does.
var troubles = map[string][]func(*troubled) seen{
	"`authbridge.db` is empty": {empty("authbridge.db")},
	"`authbridge.db` is cut short, all zeros, or no database": {
		refuses(cut("authbridge.db"), away("authbridge.db")), refuses(zeros("authbridge.db"), away("authbridge.db")), refuses(rubbish("authbridge.db"), away("authbridge.db")),
	},
	"`authbridge.db` was written by a newer version":        {refuses(sqlite("PRAGMA user_version = 9999"), elsewhere)},
	"`authbridge.db` is another program's":                  {refuses(sqlite("PRAGMA application_id = 77"), elsewhere)},
	"`token` is damaged, or a folder":                       {newToken(rubbish("token")), newToken(folder("token"))},
	"`token` may be read by others":                         {newToken(mode("token", 0o644))},
	"`mock.json` is damaged":                                {rubbishMockFile},
	"the file of a virtual card is damaged":                 {noCard(cut(cardFile)), noCard(rubbish(cardFile))},
	"the file of a virtual key is damaged":                  {noKey(cut(virtualKeyFile)), noKey(rubbish(virtualKeyFile))},
	"the authority of virtual cards is damaged, or not all": {refuses(rubbish(cardCA+"/test.pem"), away(cardCA)), refuses(away(cardCA+"/root.pem"), away(cardCA))},
	"the mock's key is damaged, or not there":               {refuses(rubbish(mockKey+"/key.pem"), away(mockKey)), refuses(away(mockKey+"/key.pem"), away(mockKey))},
	"the mock's authority for TLS is damaged":               {withTLS(rubbish(tlsCA + "/key.pem")), withTLS(rubbish(tlsCA + "/certificate.pem"))},

	"the configuration is no TOML, or says what cannot be": {badConfig("virtual = \"on\"\nlisten = ", "config.toml:2:9: "), badConfig("virtual = \"on\"\nlisten = \"0.0.0.0:1\"\n", "config.toml:2:1: ")},
	"others may write to the configuration":                {openConfig},
	"the configuration breaks while the daemon runs":       {badReload},

	"the state folder belongs to another user":        {refuses(another, elsewhere)},
	"others may write to the state folder":            {refuses(mode(".", 0o777), mode(".", 0o700))},
	"the state folder is a link, or a file":           {refuses(linked, elsewhere), refuses(isFile, elsewhere)},
	"the state folder is read-only":                   {refuses(readOnly, elsewhere)},
	"the home folder is read-only":                    {readOnlyHome},
	"the home folder is read-only: `config user add`": {readOnlyConfig},
	"`HOME` is not set":                               {noHome},
	"the path of the state folder is long":            {longPath},
	"nothing knows the name `localhost`":              {noHosts},
	"something else lies in the place of the socket":  {refuses(rubbish("authbridge.sock"), away("authbridge.sock")), refuses(linkToNowhere("authbridge.sock"), away("authbridge.sock"))},
	"the socket of a killed daemon lies in its place": {deadSocket},
	"another daemon has the state folder":             {secondDaemon},
	"the port is taken":                               {takenPort},
	"the port is for the administrator":               {lowPort},
	"the disk is full, and the daemon is to start":    {fullAtStart},
	"the disk gets full while the daemon runs":        {fullMeanwhile},
	"the disk is full, and the daemon ends":           {fullAtEnd},
	"nothing manages services: `service install`":     {noManager},
	"no session bus: `ceremony sign --pin-keyring`":   {noBus},
	"no daemon runs: `ready`":                         {noDaemon},
	"the socket belongs to another user: `ready`":     {foreignSocket},
	"something else answers at `AUTHBRIDGE_URL`":      {foreignAnswer},
	"the token is unknown or expired: `ready` by TCP": {unknownToken},
}

// TestTheTableOfTroubles holds the table to what the program does, on real files.
func TestTheTableOfTroubles(t *testing.T) {
	rows := readTroubles(t)
	for what := range troubles {
		if _, ok := rows[what]; !ok {
			t.Errorf("no row says what becomes of it where %s", what)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(rows)) {
		if len(troubles[what]) == 0 {
			t.Errorf("nobody tries the row %q", what)
		}
		for _, try := range troubles[what] {
			t.Run(what, func(t *testing.T) {
				if got := try(trouble(t)); got != rows[what] {
					t.Errorf("the row says\n\t%s\nand there was\n\t%s", rows[what], got)
				}
			})
		}
	}
}

func readTroubles(t *testing.T) map[string]seen {
	t.Helper()
	text, err := os.ReadFile("../docs/troubleshooting.md")
	must(t, err)
	rows := make(map[string]seen)
	in := false
	for line := range strings.Lines(string(text)) {
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		switch {
		case slices.Equal(cells, []string{"what is wrong", "what happens", "code", "exit", "what was there"}):
			in = true
		case !in || strings.HasPrefix(cells[0], "---"):
		case len(cells) != 5:
			in = false
		default:
			rows[cells[0]] = seen{cells[1], strings.Trim(cells[2], "`"), cells[3], cells[4]}
		}
	}
	if len(rows) == 0 {
		t.Fatal("docs/troubleshooting.md has no such table")
	}
	return rows
}
