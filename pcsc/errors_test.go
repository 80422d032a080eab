package pcsc

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every SCARD_ constant of the source has a row, every row its constant, and
// the number stands in the text.
func TestEveryCodeHasItsRowAndSentinel(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := make(map[string]Code)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "SCARD_") {
			return true
		}
		number, err := strconv.ParseUint(spec.Values[0].(*ast.BasicLit).Value, 0, 32)
		if err != nil {
			t.Fatal(err)
		}
		declared[spec.Names[0].Name] = Code(number)
		return true
	})
	if len(declared) != len(codes) {
		t.Errorf("%d constants, %d rows", len(declared), len(codes))
	}
	for _, row := range codes {
		if code, ok := declared[row.name]; !ok || code != row.code {
			t.Errorf("row %s (0x%08X): constant is 0x%08X, there: %v", row.name, uint32(row.code), uint32(code), ok)
		}
		err := fmt.Errorf("while testing: %w", &Error{Op: "SCardTest", Code: row.code})
		if !errors.Is(err, row.code) {
			t.Errorf("%s: errors.Is does not find it", row.name)
		}
		for _, want := range []string{"SCardTest", row.name, fmt.Sprintf("0x%08X", uint32(row.code)), row.text} {
			if want == "" || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", row.name, err, want)
			}
		}
	}
	if !slices.IsSortedFunc(codes[:], func(a, b codeRow) int { return int(int64(a.code) - int64(b.code)) }) {
		t.Error("the rows are not sorted by number")
	}
}

func TestACodeWithoutANameKeepsItsNumber(t *testing.T) {
	t.Parallel()
	err := &Error{Op: "SCardConnect", Code: 1722}
	if got, want := err.Error(), "SCardConnect: the system says 0x000006BA"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if code, ok := CodeOf(fmt.Errorf("x: %w", err)); !ok || code != 1722 {
		t.Errorf("CodeOf says %v, %v", code, ok)
	}
	if _, ok := CodeOf(errors.New("x")); ok {
		t.Error("CodeOf finds a code where there is none")
	}
}
