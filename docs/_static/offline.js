// A page opened from a disk may not read another one, so the search shows titles alone there, in place of an error.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
