package pcsc

import "errors"

// mostLists bounds how often a list that grew while it was taken is taken
// anew.
const mostLists = 16

// listAgain takes a list of readers. SCardListReaders is two calls, for the
// size and for the names; a reader that comes between them makes the second
// fail with SCARD_E_INSUFFICIENT_BUFFER, which is no fault of the service.
func listAgain(list func() ([]string, error)) (names []string, err error) {
	for range mostLists {
		if names, err = list(); !errors.Is(err, SCARD_E_INSUFFICIENT_BUFFER) {
			return names, err
		}
	}
	return nil, err
}
