<%@ page session="false" contentType="text/html; charset=UTF-8" trimDirectiveWhitespaces="true"
    import="java.sql.*, javax.naming.InitialContext, javax.sql.DataSource" %>
<%-- Lists the notes; adds what is posted as `text`, and removes the note that is posted as `remove`. --%>
<%!
    static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }
%>
<%
    DataSource source = (DataSource) new InitialContext().lookup("java:comp/env/jdbc/app");
    try (Connection database = source.getConnection()) {
        if (request.getMethod().equals("POST")) {
            String text = request.getParameter("text"), remove = request.getParameter("remove");
            if (text != null && !text.isBlank() && text.length() <= 200) {
                try (PreparedStatement add = database.prepareStatement("INSERT INTO notes (text) VALUES (?)")) {
                    add.setString(1, text.strip());
                    add.executeUpdate();
                }
            } else if (remove != null && remove.matches("[0-9]{1,9}")) {
                try (PreparedStatement take = database.prepareStatement("DELETE FROM notes WHERE id = ?")) {
                    take.setInt(1, Integer.parseInt(remove));
                    take.executeUpdate();
                }
            } else {
                response.sendError(400);
                return;
            }
            // To the list again, so that loading it once more adds nothing.
            response.setStatus(303);
            response.setHeader("Location", request.getContextPath() + "/");
            return;
        }
%>
<!DOCTYPE html>
<html lang="en">
<head><meta charset="UTF-8"><title>Notes</title></head>
<body>
<h1>Notes</h1>
<form method="post"><input name="text" maxlength="200" required autofocus> <button>Add</button></form>
<ul>
<%
        try (Statement ask = database.createStatement();
             ResultSet notes = ask.executeQuery("SELECT id, text, written FROM notes ORDER BY id DESC LIMIT 100")) {
            while (notes.next()) {
%>
<li><form method="post"><%= escaped(notes.getString("text")) %>&nbsp;<small><%= notes.getTimestamp("written") %></small>
<button name="remove" value="<%= notes.getInt("id") %>">Remove</button></form></li>
<%
            }
        }
%>
</ul>
</body>
</html>
<%
    }
%>
