# The line that a probe prints, and the order of its calls.

base_url <- Sys.getenv("BASE_URL")
expires_in <- as.integer(Sys.getenv("EXPIRES_IN"))
scenario <- commandArgs(trailingOnly = TRUE)[1]
line <- list(error = NULL, kind = NULL, reach = NULL)

# Makes the calls of the scenario. `code` reads the member of an error that the library documents as the error code.
calls <- function(call, code = function(e) NULL) {
  attempt <- function() {
    note <- function(e) {
      error <- code(e)
      text <- error
      if (is.list(error)) text <- as.character(jsonlite::toJSON(error, auto_unbox = TRUE))
      message <- strsplit(conditionMessage(e), "\n")[[1]][1]
      line <<- list(error = text, kind = paste0(class(e)[1], ": ", message), reach = NULL)
      if (is.list(error) && identical(error$name, "invalid_grant")) line$reach <<- "e$code$name"
    }
    withCallingHandlers(tryCatch(call(), error = note), warning = function(w) {
      note(w)
      invokeRestart("muffleWarning")
    })
  }
  attempt()
  if (scenario %in% c("rotate", "omitted", "unavailable")) {
    Sys.sleep(2)
    attempt()
  }
}

report <- function(access_token, refresh_token) {
  line$access_token <- access_token
  line$refresh_token <- refresh_token
  cat(as.character(jsonlite::toJSON(line, auto_unbox = TRUE, null = "null")), "\n")
}
