"""E-mail as the world sends it: pure reading, the child process that reads, and the doors it comes by.

    reading     bytes into parts, in one pass; nothing in here takes more time or memory than the mail is long
    headers, charsets, text, quoting, calendar, attachments, automatic, reports    what is in the parts
    parser      all of it into one `Mail`
    child, pool a process with limits that does the same for mails that are not small
    arrival     a mail into a request, or aside

What the child imports stays within the standard library, so that it is there in a moment and weighs little.
"""
