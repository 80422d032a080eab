package contract

import "testing"

func TestEventIDsAreOrderedByEpochThenSequence(t *testing.T) {
	ordered := []EventID{{1, 9}, {2, 0}, {2, 1}, {2, 10}, {36, 1}}
	for i := 1; i < len(ordered); i++ {
		if ordered[i-1].Compare(ordered[i]) >= 0 || ordered[i].Compare(ordered[i-1]) <= 0 {
			t.Errorf("%v does not come before %v", ordered[i-1], ordered[i])
		}
	}
	if c := ordered[0].Compare(EventID{1, 9}); c != 0 {
		t.Errorf("an id compared with its equal is %d", c)
	}
}

func TestParseEventIDTakesOnlyWhatStringWrites(t *testing.T) {
	for _, bad := range []string{"", "-", "1", "1-", "-1", "1-2-3", "+1-2", "1-+2", "01-2", "1-02", "A-1", "1 -2", "zzzzzzzzzzzzzzzz-1", "1-99999999999999999999"} {
		if id, err := ParseEventID(bad); err == nil {
			t.Errorf("%q was taken as %v", bad, id)
		}
	}
}

func FuzzParseEventID(f *testing.F) {
	for _, seed := range []string{"mif3k2x9-42", "1-0", "", "0-0", "1-+2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseEventID(text)
		if err == nil && id.String() != text {
			t.Errorf("%q was read as %q", text, id)
		}
	})
}
