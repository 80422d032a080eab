package pcsc

// Return values of PC/SC functions, in the spelling and with the numbers of
// PC/SC part 5 and winscard.h. pcsc-lite before 2.x says 0x8010001F
// (SCARD_E_UNEXPECTED) where it means SCARD_E_UNSUPPORTED_FEATURE.
const (
	SCARD_F_INTERNAL_ERROR          Code = 0x80100001
	SCARD_E_CANCELLED               Code = 0x80100002
	SCARD_E_INVALID_HANDLE          Code = 0x80100003
	SCARD_E_INVALID_PARAMETER       Code = 0x80100004
	SCARD_E_INVALID_TARGET          Code = 0x80100005
	SCARD_E_NO_MEMORY               Code = 0x80100006
	SCARD_F_WAITED_TOO_LONG         Code = 0x80100007
	SCARD_E_INSUFFICIENT_BUFFER     Code = 0x80100008
	SCARD_E_UNKNOWN_READER          Code = 0x80100009
	SCARD_E_TIMEOUT                 Code = 0x8010000A
	SCARD_E_SHARING_VIOLATION       Code = 0x8010000B
	SCARD_E_NO_SMARTCARD            Code = 0x8010000C
	SCARD_E_UNKNOWN_CARD            Code = 0x8010000D
	SCARD_E_CANT_DISPOSE            Code = 0x8010000E
	SCARD_E_PROTO_MISMATCH          Code = 0x8010000F
	SCARD_E_NOT_READY               Code = 0x80100010
	SCARD_E_INVALID_VALUE           Code = 0x80100011
	SCARD_E_SYSTEM_CANCELLED        Code = 0x80100012
	SCARD_F_COMM_ERROR              Code = 0x80100013
	SCARD_F_UNKNOWN_ERROR           Code = 0x80100014
	SCARD_E_INVALID_ATR             Code = 0x80100015
	SCARD_E_NOT_TRANSACTED          Code = 0x80100016
	SCARD_E_READER_UNAVAILABLE      Code = 0x80100017
	SCARD_P_SHUTDOWN                Code = 0x80100018
	SCARD_E_PCI_TOO_SMALL           Code = 0x80100019
	SCARD_E_READER_UNSUPPORTED      Code = 0x8010001A
	SCARD_E_DUPLICATE_READER        Code = 0x8010001B
	SCARD_E_CARD_UNSUPPORTED        Code = 0x8010001C
	SCARD_E_NO_SERVICE              Code = 0x8010001D
	SCARD_E_SERVICE_STOPPED         Code = 0x8010001E
	SCARD_E_UNEXPECTED              Code = 0x8010001F
	SCARD_E_ICC_INSTALLATION        Code = 0x80100020
	SCARD_E_ICC_CREATEORDER         Code = 0x80100021
	SCARD_E_UNSUPPORTED_FEATURE     Code = 0x80100022
	SCARD_E_DIR_NOT_FOUND           Code = 0x80100023
	SCARD_E_FILE_NOT_FOUND          Code = 0x80100024
	SCARD_E_NO_DIR                  Code = 0x80100025
	SCARD_E_NO_FILE                 Code = 0x80100026
	SCARD_E_NO_ACCESS               Code = 0x80100027
	SCARD_E_WRITE_TOO_MANY          Code = 0x80100028
	SCARD_E_BAD_SEEK                Code = 0x80100029
	SCARD_E_INVALID_CHV             Code = 0x8010002A
	SCARD_E_UNKNOWN_RES_MNG         Code = 0x8010002B
	SCARD_E_NO_SUCH_CERTIFICATE     Code = 0x8010002C
	SCARD_E_CERTIFICATE_UNAVAILABLE Code = 0x8010002D
	SCARD_E_NO_READERS_AVAILABLE    Code = 0x8010002E
	SCARD_E_COMM_DATA_LOST          Code = 0x8010002F
	SCARD_E_NO_KEY_CONTAINER        Code = 0x80100030
	SCARD_E_SERVER_TOO_BUSY         Code = 0x80100031
	SCARD_E_PIN_CACHE_EXPIRED       Code = 0x80100032
	SCARD_E_NO_PIN_CACHE            Code = 0x80100033
	SCARD_E_READ_ONLY_CARD          Code = 0x80100034

	SCARD_W_UNSUPPORTED_CARD       Code = 0x80100065
	SCARD_W_UNRESPONSIVE_CARD      Code = 0x80100066
	SCARD_W_UNPOWERED_CARD         Code = 0x80100067
	SCARD_W_RESET_CARD             Code = 0x80100068
	SCARD_W_REMOVED_CARD           Code = 0x80100069
	SCARD_W_SECURITY_VIOLATION     Code = 0x8010006A
	SCARD_W_WRONG_CHV              Code = 0x8010006B
	SCARD_W_CHV_BLOCKED            Code = 0x8010006C
	SCARD_W_EOF                    Code = 0x8010006D
	SCARD_W_CANCELLED_BY_USER      Code = 0x8010006E
	SCARD_W_CARD_NOT_AUTHENTICATED Code = 0x8010006F
	SCARD_W_CACHE_ITEM_NOT_FOUND   Code = 0x80100070
	SCARD_W_CACHE_ITEM_STALE       Code = 0x80100071
	SCARD_W_CACHE_ITEM_TOO_BIG     Code = 0x80100072
)

type codeRow struct {
	code Code
	name string
	text string
}

// codes is sorted by number.
var codes = [...]codeRow{
	{SCARD_F_INTERNAL_ERROR, "SCARD_F_INTERNAL_ERROR", "the service failed inside"},
	{SCARD_E_CANCELLED, "SCARD_E_CANCELLED", "the call was cancelled"},
	{SCARD_E_INVALID_HANDLE, "SCARD_E_INVALID_HANDLE", "the context or card handle is not valid, perhaps not any more"},
	{SCARD_E_INVALID_PARAMETER, "SCARD_E_INVALID_PARAMETER", "a parameter is not valid"},
	{SCARD_E_INVALID_TARGET, "SCARD_E_INVALID_TARGET", "the system's start information is missing or wrong"},
	{SCARD_E_NO_MEMORY, "SCARD_E_NO_MEMORY", "out of memory"},
	{SCARD_F_WAITED_TOO_LONG, "SCARD_F_WAITED_TOO_LONG", "the service waited too long inside"},
	{SCARD_E_INSUFFICIENT_BUFFER, "SCARD_E_INSUFFICIENT_BUFFER", "the answer does not fit"},
	{SCARD_E_UNKNOWN_READER, "SCARD_E_UNKNOWN_READER", "there is no reader of that name"},
	{SCARD_E_TIMEOUT, "SCARD_E_TIMEOUT", "the time is up"},
	{SCARD_E_SHARING_VIOLATION, "SCARD_E_SHARING_VIOLATION", "another program uses the card"},
	{SCARD_E_NO_SMARTCARD, "SCARD_E_NO_SMARTCARD", "there is no card in the reader"},
	{SCARD_E_UNKNOWN_CARD, "SCARD_E_UNKNOWN_CARD", "the card's name is not known"},
	{SCARD_E_CANT_DISPOSE, "SCARD_E_CANT_DISPOSE", "the card cannot be left that way"},
	{SCARD_E_PROTO_MISMATCH, "SCARD_E_PROTO_MISMATCH", "the card is not used with that protocol"},
	{SCARD_E_NOT_READY, "SCARD_E_NOT_READY", "the reader or card is not ready"},
	{SCARD_E_INVALID_VALUE, "SCARD_E_INVALID_VALUE", "a value is not valid"},
	{SCARD_E_SYSTEM_CANCELLED, "SCARD_E_SYSTEM_CANCELLED", "the system cancelled the call"},
	{SCARD_F_COMM_ERROR, "SCARD_F_COMM_ERROR", "the connection to the service broke"},
	{SCARD_F_UNKNOWN_ERROR, "SCARD_F_UNKNOWN_ERROR", "the service failed and does not know why"},
	{SCARD_E_INVALID_ATR, "SCARD_E_INVALID_ATR", "the ATR is not valid"},
	{SCARD_E_NOT_TRANSACTED, "SCARD_E_NOT_TRANSACTED", "the exchange with the card failed"},
	{SCARD_E_READER_UNAVAILABLE, "SCARD_E_READER_UNAVAILABLE", "the reader is not available"},
	{SCARD_P_SHUTDOWN, "SCARD_P_SHUTDOWN", "the service is shutting down"},
	{SCARD_E_PCI_TOO_SMALL, "SCARD_E_PCI_TOO_SMALL", "the protocol information does not fit"},
	{SCARD_E_READER_UNSUPPORTED, "SCARD_E_READER_UNSUPPORTED", "the reader's driver lacks what is needed"},
	{SCARD_E_DUPLICATE_READER, "SCARD_E_DUPLICATE_READER", "the reader's name is taken"},
	{SCARD_E_CARD_UNSUPPORTED, "SCARD_E_CARD_UNSUPPORTED", "the card lacks what is needed"},
	{SCARD_E_NO_SERVICE, "SCARD_E_NO_SERVICE", "the smartcard service is not running"},
	{SCARD_E_SERVICE_STOPPED, "SCARD_E_SERVICE_STOPPED", "the smartcard service has stopped"},
	{SCARD_E_UNEXPECTED, "SCARD_E_UNEXPECTED", "the reader does not support that, or the card failed unexpectedly"},
	{SCARD_E_ICC_INSTALLATION, "SCARD_E_ICC_INSTALLATION", "no provider is known for the card"},
	{SCARD_E_ICC_CREATEORDER, "SCARD_E_ICC_CREATEORDER", "objects cannot be made in that order"},
	{SCARD_E_UNSUPPORTED_FEATURE, "SCARD_E_UNSUPPORTED_FEATURE", "that is not supported"},
	{SCARD_E_DIR_NOT_FOUND, "SCARD_E_DIR_NOT_FOUND", "there is no such directory on the card"},
	{SCARD_E_FILE_NOT_FOUND, "SCARD_E_FILE_NOT_FOUND", "there is no such file on the card"},
	{SCARD_E_NO_DIR, "SCARD_E_NO_DIR", "the path is not a directory of the card"},
	{SCARD_E_NO_FILE, "SCARD_E_NO_FILE", "the path is not a file of the card"},
	{SCARD_E_NO_ACCESS, "SCARD_E_NO_ACCESS", "access is denied"},
	{SCARD_E_WRITE_TOO_MANY, "SCARD_E_WRITE_TOO_MANY", "the card has no room"},
	{SCARD_E_BAD_SEEK, "SCARD_E_BAD_SEEK", "the position in the card's file is not valid"},
	{SCARD_E_INVALID_CHV, "SCARD_E_INVALID_CHV", "the PIN is not valid"},
	{SCARD_E_UNKNOWN_RES_MNG, "SCARD_E_UNKNOWN_RES_MNG", "a layer below gave an unknown error"},
	{SCARD_E_NO_SUCH_CERTIFICATE, "SCARD_E_NO_SUCH_CERTIFICATE", "there is no such certificate"},
	{SCARD_E_CERTIFICATE_UNAVAILABLE, "SCARD_E_CERTIFICATE_UNAVAILABLE", "the certificate cannot be had"},
	{SCARD_E_NO_READERS_AVAILABLE, "SCARD_E_NO_READERS_AVAILABLE", "there is no reader"},
	{SCARD_E_COMM_DATA_LOST, "SCARD_E_COMM_DATA_LOST", "data to or from the card was lost"},
	{SCARD_E_NO_KEY_CONTAINER, "SCARD_E_NO_KEY_CONTAINER", "there is no such key container on the card"},
	{SCARD_E_SERVER_TOO_BUSY, "SCARD_E_SERVER_TOO_BUSY", "the smartcard service is too busy"},
	{SCARD_E_PIN_CACHE_EXPIRED, "SCARD_E_PIN_CACHE_EXPIRED", "the remembered PIN has expired"},
	{SCARD_E_NO_PIN_CACHE, "SCARD_E_NO_PIN_CACHE", "no PIN is remembered"},
	{SCARD_E_READ_ONLY_CARD, "SCARD_E_READ_ONLY_CARD", "the card is read-only"},
	{SCARD_W_UNSUPPORTED_CARD, "SCARD_W_UNSUPPORTED_CARD", "the reader cannot talk to a card with that ATR"},
	{SCARD_W_UNRESPONSIVE_CARD, "SCARD_W_UNRESPONSIVE_CARD", "the card does not answer to reset"},
	{SCARD_W_UNPOWERED_CARD, "SCARD_W_UNPOWERED_CARD", "the card has no power"},
	{SCARD_W_RESET_CARD, "SCARD_W_RESET_CARD", "another program has reset the card"},
	{SCARD_W_REMOVED_CARD, "SCARD_W_REMOVED_CARD", "the card was removed"},
	{SCARD_W_SECURITY_VIOLATION, "SCARD_W_SECURITY_VIOLATION", "the system does not let this process use smartcards"},
	{SCARD_W_WRONG_CHV, "SCARD_W_WRONG_CHV", "the PIN was wrong"},
	{SCARD_W_CHV_BLOCKED, "SCARD_W_CHV_BLOCKED", "the PIN is blocked"},
	{SCARD_W_EOF, "SCARD_W_EOF", "the card's file ends here"},
	{SCARD_W_CANCELLED_BY_USER, "SCARD_W_CANCELLED_BY_USER", "the user cancelled"},
	{SCARD_W_CARD_NOT_AUTHENTICATED, "SCARD_W_CARD_NOT_AUTHENTICATED", "no PIN was given to the card"},
	{SCARD_W_CACHE_ITEM_NOT_FOUND, "SCARD_W_CACHE_ITEM_NOT_FOUND", "the item is not in the cache"},
	{SCARD_W_CACHE_ITEM_STALE, "SCARD_W_CACHE_ITEM_STALE", "the item in the cache is stale"},
	{SCARD_W_CACHE_ITEM_TOO_BIG, "SCARD_W_CACHE_ITEM_TOO_BIG", "the item does not fit into the cache"},
}
