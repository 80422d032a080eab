package contract

import "testing"

func TestTheMaskTellsAtMostThreeDigits(t *testing.T) {
	for user, want := range map[string]string{
		"": "", "1": "***", "123456": "***", "1234567": "****567", "555200123456": "*********456",
	} {
		if got := MaskUser(user); got != want {
			t.Errorf("%q is masked as %q, want %q", user, got, want)
		}
	}
}
