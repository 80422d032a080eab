package platform

import "testing"

// TestTheListOfAGroup: the group of administrators has a name here, and nobody of
// nowhere is in it, nor in a group that is not there.
func TestTheListOfAGroup(t *testing.T) {
	name := administratorsName()
	if name == "" {
		t.Fatal("the group of administrators has no name")
	}
	const nobody = "S-1-5-21-1-2-3-4"
	if listed(name, nobody) || listed("no such group", nobody) || listed("", nobody) {
		t.Error("nobody is in a group")
	}
	if look(localSystem) != (Standing{Admin: true}) {
		t.Errorf("the system is %+v", look(localSystem))
	}
}
