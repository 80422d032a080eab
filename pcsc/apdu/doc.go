// Package apdu speaks ISO 7816-4 to a card: command and response APDUs, short,
// extended and chained, status words, and BER-TLV. It sends what it is given
// and what the card asks for (GET RESPONSE, a corrected Le), within bounds. It
// never resends a command that carries a PIN, keeps no command, and knows no
// card application.
package apdu
